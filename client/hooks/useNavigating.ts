/** True while the router loads this page with another query. */
import { useRouter } from "next/router";
import { useEffect, useState } from "react";

export function useNavigating(): boolean {
  const { events } = useRouter();
  const [navigating, setNavigating] = useState(false);
  useEffect(() => {
    const start = (_url: string, { shallow }: { shallow: boolean }) => setNavigating(!shallow);
    const stop = () => setNavigating(false);
    events.on("routeChangeStart", start);
    events.on("routeChangeComplete", stop);
    events.on("routeChangeError", stop);
    return () => {
      events.off("routeChangeStart", start);
      events.off("routeChangeComplete", stop);
      events.off("routeChangeError", stop);
    };
  }, [events]);
  return navigating;
}
