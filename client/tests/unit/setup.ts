/** Waits of component tests are bounded by the test's own timeout, not by the speed of the machine. */
import { configure } from "@testing-library/dom";

configure({ asyncUtilTimeout: 25_000 });
