/** The result of a scan as sound and vibration, for an operator who looks at the people and not at the screen. */

let audio: AudioContext | undefined;

/** Browsers allow sound only after a press: call this from one. */
export function enableSound(): void {
  audio ??= new AudioContext();
  void audio.resume();
}

/** One high tone and a short pulse admit; two low tones and three pulses refuse. */
export function signal(admits: boolean, sound: boolean): void {
  navigator.vibrate?.(admits ? 120 : [150, 80, 150, 80, 150]);
  if (!sound || audio?.state !== "running") return;
  if (admits) tone(880, 0, 0.15);
  else for (const start of [0, 0.25]) tone(220, start, 0.18);
}

/** Frequency in hertz, times in seconds. */
function tone(frequency: number, start: number, duration: number): void {
  if (!audio) return;
  const oscillator = audio.createOscillator();
  const volume = audio.createGain();
  const from = audio.currentTime + start;
  oscillator.frequency.value = frequency;
  // A sudden end would click.
  volume.gain.setValueAtTime(0.3, from);
  volume.gain.exponentialRampToValueAtTime(0.001, from + duration);
  oscillator.connect(volume).connect(audio.destination);
  oscillator.start(from);
  oscillator.stop(from + duration);
}
