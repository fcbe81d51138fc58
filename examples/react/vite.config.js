import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The policy of the page permits files of its own origin and nothing inline, so
// nothing is put into the page or made a data: URL.
export default defineConfig({
  plugins: [react()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
