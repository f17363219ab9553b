/** The passes of an order, each with its QR code; printed, each is on a page of its own. */
import type { Order, Pass } from "@/lib/api/types";
import page from "@/styles/page.module.css";
import { Button } from "./Button";
import { LocalTime } from "./LocalTime";
import styles from "./Passes.module.css";

interface Props {
  order: Order;
  passes: Pass[];
}

export function Passes({ order, passes }: Props) {
  const { startsAt } = order.ticket;
  // The order's end arrives before its passes are loaded again.
  const current = order.status === "complete";
  return (
    <section className={styles.passes} aria-labelledby="passes">
      <header className={`${page.head} screenOnly`}>
        <h2 id="passes">{passes.length === 1 ? "Your pass" : "Your passes"}</h2>
        {current && (
          <div className={page.row}>
            <Button variant="secondary" onClick={() => window.print()}>
              {passes.length === 1 ? "Print the pass" : "Print the passes"}
            </Button>
            {startsAt && <a href={`/api/orders/${order.id}/event.ics`}>Add to calendar</a>}
          </div>
        )}
      </header>
      {current && (
        <p className={`${page.count} screenOnly`}>
          Show {passes.length === 1 ? "the code" : "one code per person"} at the entrance, on a screen or on paper. Each
          admits once: do not share a picture of it.
        </p>
      )}
      <ul className={styles.list}>
        {passes.map((pass) => (
          <PassCard key={pass.id} order={order} pass={current ? pass : { ...pass, status: "void" }} />
        ))}
      </ul>
    </section>
  );
}

const STATUS: Record<Pass["status"], { text: string; tone: string | undefined }> = {
  valid: { text: "Valid", tone: styles.valid },
  used: { text: "Used: this pass has admitted its holder", tone: styles.used },
  void: { text: "Void: this pass no longer admits", tone: styles.void },
};

function PassCard({ order, pass }: { order: Order; pass: Pass }) {
  const { title, venue, startsAt } = order.ticket;
  const { text, tone } = STATUS[pass.status];
  return (
    <li className={`${page.card} ${styles.pass}`} data-status={pass.status}>
      <div className={styles.facts}>
        <h3>{title}</h3>
        <p>{venue ?? "Venue not specified"}</p>
        {startsAt && (
          <p>
            <LocalTime iso={startsAt} withOffset />
          </p>
        )}
        <p className={styles.seat}>Seat {pass.seat}</p>
        <p className={`${styles.status} ${tone}`}>{text}</p>
      </div>
      {pass.status === "valid" && (
        <>
          {/* The service draws it; an image optimiser has nothing to do on an SVG. */}
          {/* biome-ignore lint/performance/noImgElement: see above */}
          <img
            className={styles.code}
            src={`/api/orders/${order.id}/passes/${pass.id}.svg`}
            alt={`QR code of the pass for seat ${pass.seat}`}
            width={320}
            height={320}
          />
          <details className={`${styles.text} screenOnly`}>
            <summary>Code as text</summary>
            <p>If the camera at the entrance cannot read the QR code, this text does the same.</p>
            <code>{pass.code}</code>
          </details>
        </>
      )}
    </li>
  );
}
