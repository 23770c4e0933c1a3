import { useEffect, useState, type ComponentType } from 'react';
import { lateScript } from './lib/late_script';
import { routeOf, type Route } from './lib/route';
import { HomePage } from './pages/home';
import { NotFoundPage } from './pages/not_found';
import { Footer, Header } from './ui/frame';

// Not React.lazy: once its fallback is on the screen, React holds what replaces it back for 300 ms, a third
// of the time in which a viewer should see the first picture.
type Page = ComponentType<{ name: string }>;
type PageName = 'watch' | 'studio' | 'meet';
const pages: Partial<Record<PageName, Page>> = {};
const scripts: Record<PageName, () => Promise<{ default: Page }>> = {
  watch: () => import('./pages/watch'),
  studio: () => import('./pages/studio'),
  meet: () => import('./pages/meet'),
};
const loadPage = async (name: PageName): Promise<Page> => (pages[name] ??= (await scripts[name]()).default);

// Null until the page's script is there.
function usePage(wanted: PageName | null): Page | null {
  const [, setLoaded] = useState<PageName | null>(null);
  const page = wanted === null ? null : (pages[wanted] ?? null);
  useEffect(() => {
    if (wanted === null || page !== null) return;
    lateScript(wanted, () => loadPage(wanted)).then(
      () => setLoaded(wanted),
      () => undefined,
    );
  }, [wanted, page]);
  return page;
}

// Links within the site change the page without loading it anew: the click that chose a channel then also
// counts as the gesture that browsers ask for before they play sound.
function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.pathname));
  useEffect(() => {
    const aborter = new AbortController();
    const { signal } = aborter;
    const follow = () => setRoute(routeOf(location.pathname));
    window.addEventListener('popstate', follow, { signal });
    document.addEventListener(
      'click',
      (event) => {
        const link = event.target instanceof Element ? event.target.closest('a') : null;
        const isPlain =
          event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
        if (link === null || !isPlain || event.defaultPrevented || link.target !== '') return;
        if (!link.hasAttribute('href')) return;
        const url = new URL(link.href, location.href);
        if (url.origin !== location.origin || routeOf(url.pathname).page === 'not_found') return;
        event.preventDefault();
        if (url.pathname !== location.pathname) history.pushState(null, '', url);
        follow();
        window.scrollTo(0, 0);
      },
      { signal },
    );
    // Have the player at hand before a card is clicked.
    document.addEventListener(
      'pointerover',
      (event) => {
        const link = event.target instanceof Element ? event.target.closest('a') : null;
        if (link === null) return;
        const page = pageOf(routeOf(link.pathname));
        if (page !== null) void loadPage(page).catch(() => undefined);
      },
      { signal, passive: true },
    );
    return () => aborter.abort();
  }, []);
  return route;
}

// Who looks at the list will open a channel: the player is fetched as soon as the list is there.
const kPrefetchAfterMs = 500;
function usePrefetch(isHome: boolean): void {
  useEffect(() => {
    if (!isHome) return;
    const timer = window.setTimeout(() => void loadPage('watch').catch(() => undefined), kPrefetchAfterMs);
    return () => window.clearTimeout(timer);
  }, [isHome]);
}

const pageOf = ({ page }: Route): PageName | null => (page === 'home' || page === 'not_found' ? null : page);

// What an address needs before it can be drawn.
export async function prepare(): Promise<void> {
  const page = pageOf(routeOf(location.pathname));
  if (page !== null) await loadPage(page);
}

export function App() {
  const route = useRoute();
  const Loaded = usePage(pageOf(route));
  usePrefetch(route.page === 'home');
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        {route.page === 'home' && <HomePage />}
        {(route.page === 'watch' || route.page === 'studio' || route.page === 'meet') &&
          (Loaded === null ? (
            <div className={route.page}>
              <div className="stage" />
            </div>
          ) : (
            <Loaded key={`${route.page} ${route.channel}`} name={route.channel} />
          ))}
        {route.page === 'not_found' && <NotFoundPage />}
      </main>
      <Footer />
    </>
  );
}
