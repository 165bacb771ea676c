// What every page begins with: the token, and who asks for it where there is none.

import { dropToken, giveToken, hasToken, takeToken } from "./api.js";
import { beginMessages, byId, say } from "./dom.js";

/** Call `start` once there is a token that the service takes. */
export async function begin(start) {
  takeToken();
  beginMessages();
  // A link that is pasted over the address of the page is another state.
  addEventListener("hashchange", () => location.reload());
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the state
    byId(event.target.hash.slice(1)).focus();
  });
  if (!hasToken()) {
    askForToken();
    return;
  }
  try {
    await start();
  } catch (error) {
    if (error.status !== 401) {
      say(error.message, true);
      return;
    }
    dropToken();
    say("The token is of an earlier start of the server.", true);
    askForToken();
  }
}

function askForToken() {
  const form = byId("ask-token");
  form.hidden = false;
  byId("token").focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = byId("token").value.trim();
    giveToken(given.replace(/^.*#token=/, "")); // the whole address will do
    location.reload();
  });
}
