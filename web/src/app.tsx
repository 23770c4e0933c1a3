import { lazy, Suspense, useEffect, useState } from 'react';
import { routeOf, type Route } from './lib/route';
import { HomePage } from './pages/home';
import { NotFoundPage } from './pages/not_found';
import { Footer, Header } from './ui/frame';

const loadWatch = () => import('./pages/watch');
const WatchPage = lazy(loadWatch);
if (routeOf(location.pathname).page === 'watch') void loadWatch();

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

export function App() {
  const route = useRoute();
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        {route.page === 'home' && <HomePage />}
        {route.page === 'watch' && (
          <Suspense
            fallback={
              <div className="watch">
                <div className="stage" />
              </div>
            }
          >
            <WatchPage key={route.channel} name={route.channel} />
          </Suspense>
        )}
        {route.page === 'not_found' && <NotFoundPage />}
      </main>
      <Footer />
    </>
  );
}
