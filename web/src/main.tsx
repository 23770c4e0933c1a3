import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App, prepare } from './app';
import { applyTheme } from './ui/theme';

applyTheme();
function draw(): void {
  const root = document.getElementById('root');
  if (root === null) return;
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

// The scripts are named in the page's head and are on their way already: drawing an empty frame first would
// only be in their way. What did not arrive is asked for again by the application.
void prepare()
  .catch(() => undefined)
  .then(draw);
