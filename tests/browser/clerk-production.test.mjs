import { journey } from "./support/journey.mjs";

journey("production");
