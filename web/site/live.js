/** While developing: loads the page anew when the server says that something changed, and shows what would not build. */

const events = new EventSource("events");
/** @type {string | null} */
let version = null;

events.addEventListener("version", (event) => {
  version ??= event.data;
  if (version !== event.data) location.reload();
});
events.addEventListener("fault", (event) => {
  const note = document.querySelector(".fault") ?? document.body.appendChild(document.createElement("pre"));
  note.className = "fault";
  note.setAttribute("role", "alert");
  note.textContent = JSON.parse(event.data);
});

// A built site that was served on this port before may have left its worker, which would answer in our place.
void navigator.serviceWorker?.getRegistrations().then((all) => all.forEach((one) => void one.unregister()));

export {};
