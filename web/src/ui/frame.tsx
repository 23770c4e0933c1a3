import { Icon, Logo } from './icons';
import { toggleTheme, useTheme } from './theme';

export function Header() {
  const theme = useTheme();
  return (
    <header className="header">
      <a className="brand" href="/" aria-label="Stoa, live channels">
        <Logo />
        <span>Stoa</span>
      </a>
      <button
        type="button"
        className="icon_button"
        onClick={toggleTheme}
        aria-label={theme === 'dark' ? 'Use light colours' : 'Use dark colours'}
        title={theme === 'dark' ? 'Light' : 'Dark'}
      >
        <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
      </button>
    </header>
  );
}

export function Footer() {
  return (
    <footer className="footer">
      Stoa {__STOA_VERSION__}, a real-time video server. <a href="/api/openapi.json">API</a>
    </footer>
  );
}
