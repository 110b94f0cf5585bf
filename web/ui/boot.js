// Theme and language before the first paint, then the program. Everything else is Rust.
(() => {
  const root = document.documentElement;
  const asked = new URLSearchParams(location.search);
  const choice = (name, values, otherwise) => {
    let kept = null;
    try { kept = localStorage.getItem("orrery-" + name); } catch { /* storage may be forbidden */ }
    return [asked.get(name), kept].find((value) => values.includes(value)) ?? otherwise;
  };
  root.dataset.theme = choice("theme", ["dark", "light", "system"], "system");
  root.lang = choice("lang", ["en", "ko"], navigator.language.startsWith("ko") ? "ko" : "en");
  const failed = (error) => {
    console.error(error);
    const app = document.getElementById("app");
    app.replaceChildren();
    const p = document.createElement("p");
    p.className = "noscript";
    p.textContent = root.lang === "ko"
      ? "대시보드를 시작하지 못했습니다. 새로고침해 보세요. (" + error + ")"
      : "The dashboard could not start. Try reloading the page. (" + error + ")";
    app.append(p);
  };
  // The code of the page that is asked for comes beside the program, not after it.
  const [, page, id] = location.pathname.split("/");
  const pages = {{pages}};
  for (const href of (id && pages[page.replace(/s$/, "")]) ?? pages[page || "overview"] ?? []) {
    const link = document.createElement("link");
    document.head.append(Object.assign(link, { rel: "preload", as: "fetch", type: "application/wasm", crossOrigin: "", href }));
  }
  const start = () => import("{{orrery.js}}").then((orrery) => orrery.default({ module_or_path: "{{orrery.wasm}}" })).catch(failed);
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", start) : start();
})();
