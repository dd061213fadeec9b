// @ts-check
// Every text that the library itself shows, in English and in German: what is wrong, what to do, and its dialogs.

/** @import { Action, Texts } from "./types.js" */

/** A word, what can be done, then message and hint in each language. @type {Record<string, [Action, ...string[]]>} */
export const ERRORS = {
  "not-installed": [
    "install",
    "The scan service was not found on this computer.",
    "Install it. If your browser has just asked whether this site may reach apps on this device, allow it and try again.",
    "Der Scan-Dienst wurde auf diesem Rechner nicht gefunden.",
    "Installieren Sie ihn. Fragte der Browser gerade, ob diese Seite Apps auf diesem Gerät erreichen darf, erlauben Sie es und versuchen Sie es erneut.",
  ],
  "not-running": [
    "start",
    "The scan service does not answer. It did before on this computer, so it is probably not running.",
    "Start it with “dwtsvc serve”, or restart the computer.",
    "Der Scan-Dienst antwortet nicht. Früher tat er es auf diesem Rechner: Vermutlich läuft er gerade nicht.",
    "Starten Sie ihn mit „dwtsvc serve“, oder starten Sie den Rechner neu.",
  ],
  "permission-blocked": [
    "permit",
    "Your browser keeps this site from the scan service on this computer.",
    "Open the site's settings beside the address bar, allow “Apps on device” (or “Local network”), and try again.",
    "Ihr Browser hält diese Seite vom Scan-Dienst auf diesem Rechner fern.",
    "Öffnen Sie neben der Adresszeile die Einstellungen der Seite, erlauben Sie „Apps auf dem Gerät“ (oder „Lokales Netzwerk“) und versuchen Sie es erneut.",
  ],
  "origin-not-allowed": [
    "ask",
    "The scan service is running, but this site is not allowed to use it.",
    "Allow it when the service asks you, or with “dwtsvc origins allow” and the address of this site.",
    "Der Scan-Dienst läuft, aber diese Seite darf ihn nicht benutzen.",
    "Erlauben Sie es, wenn der Dienst Sie fragt, oder mit „dwtsvc origins allow“ und der Adresse dieser Seite.",
  ],
  "consent-denied": [
    "none",
    "You decided that this site may not use the scan service.",
    "To change that, run “dwtsvc origins revoke” with the address of this site, then try again.",
    "Sie haben entschieden, dass diese Seite den Scan-Dienst nicht benutzen darf.",
    "Um das zu ändern, rufen Sie „dwtsvc origins revoke“ mit der Adresse dieser Seite auf und versuchen es erneut.",
  ],
  "consent-unanswered": [
    "ask",
    "The question whether this site may scan was not answered.",
    "Ask again.",
    "Die Frage, ob diese Seite scannen darf, wurde nicht beantwortet.",
    "Fragen Sie erneut.",
  ],
  "popup-blocked": [
    "ask",
    "Your browser blocked the window that asks for your consent.",
    "Allow it, or ask again.",
    "Ihr Browser hat das Fenster blockiert, das um Ihre Zustimmung bittet.",
    "Erlauben Sie es, oder fragen Sie erneut.",
  ],
  "certificate-untrusted": [
    "trust",
    "The scan service is running, but this browser does not trust its certificate.",
    "Run “dwtsvc cert install”, restart the browser, and try again.",
    "Der Scan-Dienst läuft, aber dieser Browser vertraut seinem Zertifikat nicht.",
    "Rufen Sie „dwtsvc cert install“ auf, starten Sie den Browser neu und versuchen Sie es erneut.",
  ],
  "page-insecure": [
    "secure",
    "The scan service was not reached, and this page was not loaded over https: browsers keep such pages from it.",
    "Open the page with https:// in front of its address.",
    "Der Scan-Dienst wurde nicht erreicht, und diese Seite kam nicht über https: Browser halten solche Seiten von ihm fern.",
    "Öffnen Sie die Seite mit https:// vor ihrer Adresse.",
  ],
  "version-too-old": [
    "update",
    "The scan service is too old for this page.",
    "Update it: “pip install --upgrade dwtsvc”.",
    "Der Scan-Dienst ist zu alt für diese Seite.",
    "Aktualisieren Sie ihn: „pip install --upgrade dwtsvc“.",
  ],
  "not-supported": [
    "update",
    "The scan service cannot do this.",
    "Update it: “pip install --upgrade dwtsvc”.",
    "Der Scan-Dienst kann das nicht.",
    "Aktualisieren Sie ihn: „pip install --upgrade dwtsvc“.",
  ],
  "connection-lost": [
    "retry",
    "The scan service went away.",
    "It is looked for; try again when it is back.",
    "Der Scan-Dienst ist nicht mehr da.",
    "Er wird gesucht; versuchen Sie es erneut, wenn er wieder da ist.",
  ],
  "upload-failed": ["retry", "The file could not be uploaded.", "Try again.", "Die Datei wurde nicht hochgeladen.", "Versuchen Sie es erneut."],
  refused: ["retry", "The scan service refused this.", "", "Der Scan-Dienst hat das abgelehnt.", ""],
};

/** The dialogs, each text in every language. @type {Record<keyof Texts | "choose" | "cancel", string[]>} */
const DIALOGS = {
  title: ["{app} cannot reach your scanners", "{app} erreicht Ihre Scanner nicht"],
  app: ["This page", "Diese Seite"],
  install: ["On {os}, run this in a terminal, then reconnect:", "Rufen Sie das unter {os} in einem Terminal auf und verbinden Sie neu:"],
  start: ["Run this in a terminal, then reconnect:", "Rufen Sie das in einem Terminal auf und verbinden Sie neu:"],
  more: ["How to install it", "So wird er installiert"],
  reconnect: ["Reconnect to the service", "Neu mit dem Dienst verbinden"],
  reconnecting: ["Looking for the service…", "Der Dienst wird gesucht…"],
  close: ["Not now", "Jetzt nicht"],
  choose: ["Choose a scanner", "Scanner auswählen"],
  cancel: ["Cancel", "Abbrechen"],
};

/** The place of the page's language in the tables: that of its `<html lang>`, else that of the browser. */
const language = () => Number(/^de\b/i.test(document.documentElement.lang || navigator.language));

/** What an error is called, and what can be done. @param {string} code @returns {[string, string, Action]} */
export function explained(code) {
  const [action, ...texts] = ERRORS[code] ?? ERRORS.refused;
  const at = 2 * language();
  return [texts[at], texts[at + 1], action];
}

/** The texts of the dialogs. */
export function spoken() {
  const at = language();
  return /** @type {Texts & {choose: string, cancel: string}} */ (
    Object.fromEntries(Object.entries(DIALOGS).map(([name, texts]) => [name, texts[at]]))
  );
}
