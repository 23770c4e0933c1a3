import { useEffect, useState, type ComponentType } from 'react';
import { routeOf, type Route } from './lib/route';
import { HomePage } from './pages/home';
import { NotFoundPage } from './pages/not_found';
import { Footer, Header } from './ui/frame';

// Not React.lazy: once its fallback is on the screen, React holds what replaces it back for 300 ms, a third
// of the time in which a viewer should see the first picture.
const kReloaded = 'stoa.reloaded_for_script';
type WatchPage = ComponentType<{ name: string }>;
let watchPage: WatchPage | null = null;
const loadWatch = async (): Promise<WatchPage> => (watchPage ??= (await import('./pages/watch')).default);

// Null until the page's script is there. One that did not arrive may have another name since the server was
// renewed: the address is then loaded anew, once.
function useWatchPage(isWanted: boolean): WatchPage | null {
  const [page, setPage] = useState<WatchPage | null>(() => watchPage);
  useEffect(() => {
    if (!isWanted || page !== null) return;
    loadWatch().then(
      (loaded) => {
        sessionStorage.removeItem(kReloaded);
        setPage(() => loaded);
      },
      () => {
        if (sessionStorage.getItem(kReloaded) !== null) return;
        sessionStorage.setItem(kReloaded, '1');
        location.reload();
      },
    );
  }, [isWanted, page]);
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
        if (link !== null && link.pathname.startsWith('/watch/')) void loadWatch();
      },
      { signal, passive: true },
    );
    return () => aborter.abort();
  }, []);
  return route;
}

// What an address needs before it can be drawn.
export async function prepare(): Promise<void> {
  if (routeOf(location.pathname).page === 'watch') await loadWatch();
}

export function App() {
  const route = useRoute();
  const WatchPage = useWatchPage(route.page === 'watch');
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        {route.page === 'home' && <HomePage />}
        {route.page === 'watch' &&
          (WatchPage === null ? (
            <div className="watch">
              <div className="stage" />
            </div>
          ) : (
            <WatchPage key={route.channel} name={route.channel} />
          ))}
        {route.page === 'not_found' && <NotFoundPage />}
      </main>
      <Footer />
    </>
  );
}
