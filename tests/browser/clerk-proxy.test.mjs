import { journey } from "./support/journey.mjs";

journey("proxy");
