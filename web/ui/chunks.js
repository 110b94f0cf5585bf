// Loads chunks of the program, which fill their places in its table and memory. A failure is not remembered.
import { initSync } from "{{orrery.js}}";
const pages = {{pages}};
const arriving = {};
const load = (path) => arriving[path] ??= WebAssembly.instantiateStreaming(fetch(path), { __wasm_split: initSync() })
  .catch((error) => {
    delete arriving[path];
    throw error;
  });
const loader = (page) => async (callback, data) => {
  let here = true;
  try {
    await Promise.all(pages[page].map(load));
  } catch (error) {
    console.error(error);
    here = false;
  }
  initSync().__indirect_function_table.get(callback)(data, here);
};
{{loaders}}
