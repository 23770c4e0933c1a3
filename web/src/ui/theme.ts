// Light or dark: the system's choice until the viewer makes another.
import { useSyncExternalStore } from 'react';
import { browserStore, readPreferences, writePreferences, type Theme } from '../lib/preferences';

const listeners = new Set<() => void>();
const dark = window.matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', () => listeners.forEach((listener) => listener()));

let chosen: Theme | null = readPreferences(browserStore()).theme;

export function applyTheme(): void {
  if (chosen === null) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

const shownTheme = (): Theme => chosen ?? (dark.matches ? 'dark' : 'light');

export function toggleTheme(): void {
  const next: Theme = shownTheme() === 'dark' ? 'light' : 'dark';
  // What the system says needs no remembering: so a viewer gets back to following it.
  chosen = next === (dark.matches ? 'dark' : 'light') ? null : next;
  writePreferences(browserStore(), { theme: chosen });
  applyTheme();
  listeners.forEach((listener) => listener());
}

export const useTheme = (): Theme =>
  useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, shownTheme);
