/** Search, price, dates and sort. A plain GET form that works without scripts; with scripts it searches while the reader types. */
import { type FormEvent, useEffect, useRef } from "react";
import { type BrowseState, browsePath, hasDays, isFiltered, readBrowseState, SORTS } from "@/lib/browseQuery";
import { ownZone, zoneName } from "@/lib/timeZone";
import styles from "./BrowseFilters.module.css";
import { ButtonLink } from "./Button";
import { SelectField, TextField } from "./Field";

/** Long enough that a word typed at normal speed is one search. */
const TYPING_PAUSE_MS = 250;

interface Props {
  state: BrowseState;
  errors: Record<string, string>;
  onChange: (state: BrowseState) => void;
}

export function BrowseFilters({ state, errors, onChange }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const path = browsePath({ ...state, pages: 1 });
  /** The address that this form requested last: its response must not overwrite what was typed since. */
  const requested = useRef(path);

  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (path === requested.current || !form.current) return;
    // "Back", a link or "clear" changed the address, so the inputs take its values.
    requested.current = path;
    for (const [name, value] of Object.entries(state)) {
      const input = form.current.elements.namedItem(name);
      if (input instanceof HTMLInputElement || input instanceof HTMLSelectElement) input.value = String(value);
    }
  }, [path, state]);

  function applyFilters(event?: FormEvent) {
    event?.preventDefault();
    clearTimeout(timer.current);
    if (!form.current) return;
    const inputs = Object.fromEntries([...new FormData(form.current)].map(([name, value]) => [name, String(value)]));
    const wanted = inZoneOf(state, readBrowseState(inputs));
    if (browsePath(wanted) === requested.current) return;
    requested.current = browsePath(wanted);
    onChange(wanted);
  }

  function applyFiltersSoon() {
    clearTimeout(timer.current);
    timer.current = setTimeout(applyFilters, TYPING_PAUSE_MS);
  }

  return (
    <search>
      <form ref={form} action="/" className={styles.form} onSubmit={applyFilters} onChange={applyFiltersSoon}>
        <div className={styles.grid}>
          <div className={styles.search}>
            <TextField
              label="Search"
              name="q"
              type="search"
              maxLength={200}
              error={errors.q}
              defaultValue={state.q}
              placeholder="Artist, event or venue"
            />
          </div>
          <TextField
            label="From price"
            name="minPrice"
            inputMode="decimal"
            defaultValue={state.minPrice}
            placeholder="0"
            error={errors.minPrice}
          />
          <TextField
            label="To price"
            name="maxPrice"
            inputMode="decimal"
            defaultValue={state.maxPrice}
            placeholder="Any"
            error={errors.maxPrice}
          />
          <SelectField label="Sort by" name="sort" defaultValue={state.sort}>
            {SORTS.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </SelectField>
        </div>
        <div className={styles.last}>
          <details className={styles.more} open={Boolean(state.from || state.to) || undefined}>
            <summary>Dates</summary>
            <div className={styles.dates}>
              <TextField label="Not before" name="from" type="date" defaultValue={state.from} error={errors.from} />
              <TextField label="Not after" name="to" type="date" defaultValue={state.to} error={errors.to} />
            </div>
            {state.zone ? (
              <p className={styles.zone}>Days in the time zone {zoneName(state.zone)}</p>
            ) : (
              <noscript>
                <p className={styles.zone}>Days in the time zone UTC</p>
              </noscript>
            )}
          </details>
          {isFiltered(state) && (
            <ButtonLink href="/" variant="secondary">
              Clear filters
            </ButtonLink>
          )}
        </div>
        <noscript>
          <button type="submit">Search</button>
        </noscript>
      </form>
    </search>
  );
}

/** Days that the reader chooses are in the reader's time zone; days of a shared address keep their zone. */
function inZoneOf(state: BrowseState, wanted: BrowseState): BrowseState {
  const same = wanted.from === state.from && wanted.to === state.to;
  return hasDays(wanted) ? { ...wanted, zone: (same && state.zone) || ownZone() } : wanted;
}
