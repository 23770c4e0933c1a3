// One WHIP or WHEP session with all that keeps it: joins the HTTP client, the peer connection and the keeper
// (link_keeper.ts decides, this carries out). What is sent or received is the owner's business: `prepare`
// puts it on each new connection.

import { LinkKeeper, type KeeperOptions, type LinkAction, type LinkPhase, type Trouble } from './link_keeper';
import { endpointsOf, ufragOf, withFragment, writeFragment, type Endpoint, type LocalCandidate } from './sdp';
import { SessionClient, SessionError } from './session_client';

export interface LinkView {
  phase: LinkPhase | 'closed';
  trouble: Trouble | null;
  error: SessionError | null; // What the server said last, when it refused.
  nextTryMs: number | null; // performance.now() of the next try, while waiting.
  ice: RTCIceConnectionState | 'closed';
  endpoints: Endpoint[]; // Where the server listens.
  sessions: number; // POSTs that were answered.
  restarts: number; // ICE restarts that were answered.
}

export interface LinkOptions {
  url: string; // Absolute, of the WHIP or WHEP endpoint.
  key: string;
  keeper: KeeperOptions;
  prepare: (connection: RTCPeerConnection) => void;
  refine?: (answer: string) => string; // A last word on the answer, before the browser gets it.
  onAnswer?: (answer: string) => void;
  onChange: (view: LinkView) => void;
  isMediaExpected?: () => boolean;
}

const kTickMs = 250;
const kTrickleMs = 60; // Candidates that come within this go as one request.

// All sections share one (max-bundle).
function dtlsOf(connection: RTCPeerConnection): RTCDtlsTransport | null {
  return connection.getReceivers()[0]?.transport ?? connection.getSenders()[0]?.transport ?? null;
}

export class RtcLink {
  connection: RTCPeerConnection | null = null;
  private client: SessionClient | null = null;
  private readonly keeper: LinkKeeper;
  private offer = '';
  private answer = '';
  private error: SessionError | null = null;
  private sessions = 0;
  private restarts = 0;
  private hasRestarted = false; // The restart that is under way was answered.
  private ticker: number | null = null;
  private trickleTimer: number | null = null;
  private candidates: LocalCandidate[] = [];
  private isComplete = false;
  private readonly aborter = new AbortController();
  private isClosed = false;
  private lastView = '';

  constructor(private readonly options: LinkOptions) {
    this.keeper = new LinkKeeper(options.keeper);
    const { signal } = this.aborter;
    window.addEventListener('online', () => this.retryNow(), { signal });
    // The page goes: tell the server, so that it need not find out. bfcache may bring the page back.
    window.addEventListener('pagehide', () => this.close(), { signal });
    this.ticker = window.setInterval(() => this.tick(), kTickMs);
    // Not before the owner's constructor is done: `prepare` is the owner's.
    queueMicrotask(() => void this.begin());
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.aborter.abort();
    if (this.ticker !== null) window.clearInterval(this.ticker);
    this.drop();
    this.tell();
  }

  setPatient(isPatient: boolean): void {
    this.keeper.setPatient(isPatient);
  }

  retryNow(): void {
    this.keeper.hurry(performance.now());
    this.tick();
  }

  // Another session in place of this one: what is sent has changed beyond what a session can follow.
  renew(): void {
    if (!this.isClosed && this.keeper.phase !== 'over') void this.begin();
  }

  handleMedia(): void {
    this.keeper.handleMedia(performance.now());
    this.tell();
  }

  get view(): LinkView {
    return {
      phase: this.isClosed ? 'closed' : this.keeper.phase,
      trouble: this.keeper.trouble,
      error: this.error,
      nextTryMs: this.keeper.nextTryMs,
      ice: this.connection?.iceConnectionState ?? 'closed',
      endpoints: endpointsOf(this.answer),
      sessions: this.sessions,
      restarts: this.restarts,
    };
  }

  // --- A session's beginning.

  // The offer is posted before it is applied: gathering begins with applying, and by then the ICE servers of
  // the answer's Link headers are known (RFC 9725 §4.6). The server lists its addresses in the answer, so
  // nothing could be checked earlier anyway.
  private async begin(): Promise<void> {
    if (this.isClosed) return;
    this.drop();
    this.keeper.handlePosting();
    const client = new SessionClient(this.options.url, this.options.key);
    this.client = client;
    try {
      const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
      this.connection = connection;
      this.listen(connection);
      this.options.prepare(connection);
      const { sdp = '' } = await connection.createOffer();
      this.offer = sdp;
      this.tell();
      if (this.client !== client) return;
      const { answer, iceServers } = await client.post(sdp);
      if (this.client !== client) return; // drop() has ended the session already.
      this.error = null;
      this.sessions += 1;
      this.answer = this.options.refine?.(answer) ?? answer;
      if (iceServers.length > 0) connection.setConfiguration({ bundlePolicy: 'max-bundle', iceServers });
      this.keeper.handleAnswered(performance.now());
      this.options.onAnswer?.(answer);
      await connection.setLocalDescription({ type: 'offer', sdp });
      await connection.setRemoteDescription({ type: 'answer', sdp: this.answer });
      dtlsOf(connection)?.addEventListener('statechange', () => this.followState(connection));
    } catch (error) {
      if (this.client !== client) return;
      this.handleError(error);
    }
    this.tell();
  }

  private handleError(error: unknown): void {
    // What is not the server's refusal is the browser's: it could not make the offer or take the answer.
    const text = error instanceof Error ? error.message : String(error);
    const known = error instanceof SessionError ? error : new SessionError(422, 'browser', text);
    this.error = known;
    this.drop();
    this.act(this.keeper.handleRefused(performance.now(), known));
  }

  private drop(): void {
    if (this.trickleTimer !== null) window.clearTimeout(this.trickleTimer);
    this.trickleTimer = null;
    this.candidates = [];
    this.isComplete = false;
    this.client?.end();
    this.client = null;
    if (this.connection !== null) {
      this.connection.onicecandidate = null;
      this.connection.onconnectionstatechange = null;
      this.connection.oniceconnectionstatechange = null;
      this.connection.close();
    }
    this.connection = null;
  }

  // --- The connection.

  private listen(connection: RTCPeerConnection): void {
    const follow = () => this.followState(connection);
    connection.onconnectionstatechange = follow;
    connection.oniceconnectionstatechange = follow;
    connection.onicecandidate = ({ candidate }) => {
      if (candidate === null || candidate.candidate === '') this.isComplete = true;
      else {
        const { usernameFragment } = candidate;
        if (usernameFragment && usernameFragment !== ufragOf(this.offer)) return;
        this.candidates.push({ candidate: candidate.candidate, sdpMid: candidate.sdpMid });
      }
      this.trickleTimer ??= window.setTimeout(() => void this.trickle(), kTrickleMs);
    };
  }

  private followState(connection: RTCPeerConnection): void {
    if (connection !== this.connection) return;
    const now = performance.now();
    const ice = connection.iceConnectionState;
    const isIceUp = ice === 'connected' || ice === 'completed';
    // A server that ends the session says so by DTLS. Connections count that for nothing (W3C: only failed,
    // connecting and new matter) and look well until ICE hears nothing any more.
    const isEnded = dtlsOf(connection)?.state === 'closed';
    const state = isEnded ? 'closed' : (connection.connectionState as RTCPeerConnectionState | undefined);
    switch (state ?? (ice === 'completed' ? 'connected' : ice)) {
      case 'connected':
        this.keeper.handleConnected(now);
        break;
      case 'disconnected':
        this.keeper.handleDisconnected(now);
        break;
      case 'failed':
        this.act(this.keeper.handleFailed(now, { isIceUp, isClosed: false }));
        break;
      case 'closed':
        this.act(this.keeper.handleFailed(now, { isIceUp, isClosed: true }));
        break;
    }
    this.tell();
  }

  private async trickle(): Promise<void> {
    this.trickleTimer = null;
    const { client, candidates, isComplete } = this;
    if (client === null || !client.isOpen) return;
    this.candidates = [];
    const fragment = writeFragment(this.offer, candidates, isComplete);
    if (fragment === null) return;
    // Where the session is gone the connection will show it; where only this failed nothing is lost: the
    // server learns a browser's address from its first packet.
    await client.trickle(fragment).catch(() => undefined);
  }

  // As at the beginning, the server is asked first: a refusal then leaves nothing to be undone.
  private async restartIce(): Promise<void> {
    const { client, connection } = this;
    if (client === null || connection === null) return;
    this.hasRestarted = false;
    try {
      const { sdp = '' } = await connection.createOffer({ iceRestart: true });
      const fragment = writeFragment(sdp, [], false);
      if (fragment === null) throw new SessionError(0, 'bad_offer', '');
      const said = await client.restart(fragment);
      const answer = withFragment(this.answer, said);
      if (client !== this.client) return;
      if (answer === null) throw new SessionError(200, 'bad_answer', '');
      this.offer = sdp;
      this.answer = answer;
      this.isComplete = false;
      await connection.setLocalDescription({ type: 'offer', sdp });
      await connection.setRemoteDescription({ type: 'answer', sdp: answer });
      this.restarts += 1;
      this.hasRestarted = true;
    } catch (error) {
      if (client !== this.client) return;
      const said = error instanceof SessionError ? error : null;
      if (said?.status === 410) this.error = said;
      this.act(this.keeper.handleRestartRefused(performance.now(), said?.status ?? 0));
    }
    this.tell();
  }

  // Whether the server has the session still, and if not, why.
  private async probe(): Promise<void> {
    const { client } = this;
    const fragment = writeFragment(this.offer, [], true);
    const gone = client === null || fragment === null ? null : await client.askWhyGone(fragment);
    if (client !== this.client) return;
    if (gone?.status === 410) this.error = gone;
    this.act(this.keeper.handleProbed(performance.now(), gone?.status ?? null));
    this.tell();
  }

  private tick(): void {
    if (this.isClosed) return;
    // A path that came back, or never quite went, makes no event of its own.
    if (this.keeper.phase === 'restarting' && this.hasRestarted && this.connection !== null) {
      if (this.connection.connectionState === 'connected') this.followState(this.connection);
    }
    this.act(this.keeper.handleTick(performance.now(), this.options.isMediaExpected?.() ?? true));
    this.tell();
  }

  private act(action: LinkAction): void {
    if (this.isClosed) return;
    if (action === 'restart') void this.restartIce();
    else if (action === 'probe') void this.probe();
    else if (action === 'renew') void this.begin();
    else if (action === 'give_up') this.drop();
    else if (this.keeper.phase === 'waiting' && this.connection !== null) this.drop();
  }

  private tell(): void {
    const { view } = this;
    const text = JSON.stringify({ ...view, error: view.error && [view.error.status, view.error.message] });
    if (text === this.lastView) return;
    this.lastView = text;
    this.options.onChange(view);
  }
}
