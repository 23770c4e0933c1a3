// The product's page for meetings, clicked through as people do: by the roles and names of web/README.md.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fakeCamera, launchChromium } from './lib/browser.mjs';
import { logs } from './lib/program.mjs';
import { makeToken } from './lib/rooms.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server, browser;
before(async () => {
  server = await Server.start({ shards: 2 });
  browser = await launchChromium([...fakeCamera, '--auto-select-desktop-capture-source=Entire screen', '--auto-accept-this-tab-capture']);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const opened = [], problems = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((page) => page.context().close()));
  assert.deepEqual(problems.splice(0), []);
});

// Each person has a browser of their own, as far as the page can tell.
async function visit(name, room, { hash = '' } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 760 } });
  const page = await context.newPage();
  opened.push(page);
  page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(`${name}: ${message.text()}`));
  // A screen, where there is none to be captured.
  await page.addInitScript(() => {
    navigator.mediaDevices.getDisplayMedia = async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const context2d = canvas.getContext('2d');
      setInterval(() => {
        context2d.fillStyle = `hsl(${Date.now() % 360} 70% 50%)`;
        context2d.fillRect(0, 0, 640, 360);
      }, 100);
      return canvas.captureStream(10);
    };
  });
  await page.goto(`${server.origin}/meet/${room}${hash}`);
  return page;
}
async function enter(name, room, options) {
  const page = await visit(name, room, options);
  await page.getByRole('textbox', { name: 'Your name' }).fill(name);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  await control(page, 'Leave').waitFor();
  return page;
}
const control = (page, name) => page.getByRole('group', { name: 'Meeting controls' }).getByRole('button', { name });
const tile = (page, name) => page.getByRole('group', { name, exact: true });
const pressed = (page, name, is) => until(`${name} is ${is ? '' : 'not '}pressed`, async () => (await control(page, name).getAttribute('aria-pressed')) === String(is));
// The picture of a tile has size and goes on.
async function untilSeen(page, name) {
  const video = tile(page, name).locator('video');
  await video.waitFor({ timeout: 20_000 });
  const frames = () => video.evaluate((one) => (one.videoWidth > 0 ? one.getVideoPlaybackQuality().totalVideoFrames : 0));
  const first = await frames();
  await until(`${name} is seen`, async () => (await frames()) > first + 5, { within: 20_000, every: 100 });
}
const shoot = (page, name) => page.screenshot({ path: join(logs, `${process.pid}-meet-${name}.png`) });
const status = (page, pattern) => until(`the page says ${pattern}`, async () => pattern.test(await page.locator('body').innerText()), { within: 15_000 });

test('two people meet: they see each other, chat, raise a hand, mute, share a screen and leave', { timeout: 120_000 }, async () => {
  const lobby = await visit('Anna', 'desk');
  await lobby.getByRole('heading', { name: 'desk' }).waitFor();
  await lobby.getByRole('meter', { name: 'Sound level' }).waitFor();
  await shoot(lobby, 'lobby');
  await lobby.getByRole('textbox', { name: 'Your name' }).fill('Anna');
  await lobby.getByRole('button', { name: 'Join', exact: true }).click();
  await control(lobby, 'Leave').waitFor();
  const [anna, ben] = [lobby, await enter('Ben', 'desk')];
  await Promise.all([untilSeen(anna, 'Ben'), untilSeen(ben, 'Anna'), untilSeen(anna, 'Anna (you)')]);
  await shoot(anna, 'two');

  await control(anna, 'Chat').click();
  await anna.getByRole('textbox', { name: 'Message' }).fill('hello Ben');
  await anna.getByRole('button', { name: 'Send' }).click();
  await control(ben, 'Chat').click();
  await ben.getByRole('log', { name: 'Messages' }).getByText('hello Ben').waitFor();
  await ben.getByRole('textbox', { name: 'Message' }).fill('hello Anna');
  await ben.getByRole('textbox', { name: 'Message' }).press('Enter');
  await anna.getByRole('log', { name: 'Messages' }).getByText('hello Anna').waitFor();
  await shoot(anna, 'chat');
  await anna.getByRole('button', { name: 'Close chat' }).click();

  await control(ben, 'Raise hand').click();
  await status(anna, /hand/i);
  await control(anna, 'People').click();
  await anna.getByRole('list', { name: 'People' }).getByRole('listitem').nth(1).waitFor();
  await shoot(anna, 'people');
  await anna.getByRole('button', { name: 'Close people' }).click();

  await control(ben, 'Microphone').click();
  await pressed(ben, 'Microphone', false);
  await until('Anna is shown that he is muted', () => anna.evaluate(() =>
    [...window.stoaMeet.room.remoteParticipants.values()].some((one) => one.name === 'Ben' && !one.isMicrophoneEnabled)));
  await control(ben, 'Camera').click();
  await pressed(ben, 'Camera', false);
  await until('his picture is gone', async () => (await tile(anna, 'Ben').locator('video').count()) === 0 || !(await tile(anna, 'Ben').locator('video').isVisible()));
  await shoot(anna, 'muted');
  await control(ben, 'Camera').click();
  await untilSeen(anna, 'Ben');

  await control(ben, 'Share screen').click();
  await untilSeen(anna, 'Ben, screen');
  await shoot(anna, 'screen');
  await control(ben, 'Share screen').click();
  await tile(anna, 'Ben, screen').waitFor({ state: 'detached' });

  for (const layout of ['Speaker', 'Sidebar', 'Grid']) {
    await anna.getByRole('radiogroup', { name: 'Layout' }).getByRole('radio', { name: layout }).check({ force: true });
    await untilSeen(anna, 'Ben');
    await shoot(anna, layout.toLowerCase());
  }
  await anna.getByRole('button', { name: 'Statistics' }).click();
  await anna.getByRole('region', { name: 'Statistics' }).getByRole('list', { name: 'Tracks' }).waitFor();
  await until('there are rows', () => anna.evaluate(async () => (await window.stoaMeet.stats()) !== undefined));
  await shoot(anna, 'statistics');
  await anna.getByRole('button', { name: 'Close statistics' }).click();

  await control(ben, 'Leave').click();
  await ben.getByRole('heading', { name: 'You have left' }).waitFor();
  await tile(anna, 'Ben').waitFor({ state: 'detached' });
  await shoot(ben, 'left');
  await ben.getByRole('button', { name: 'Rejoin' }).click();
  await untilSeen(anna, 'Ben');
});

test('a host mutes and removes; who was removed knows', { timeout: 60_000 }, async () => {
  const anna = await enter('Anna', 'hosted'); // Everybody is a host of a node for trying out.
  const guest = await makeToken('guest', 'hosted', {}, { name: 'Guest' });
  const ben = await visit('Guest', 'hosted', { hash: `#token=${guest}` });
  await ben.getByRole('button', { name: 'Join', exact: true }).click();
  await untilSeen(anna, 'Guest');
  assert.ok(!ben.url().includes(guest.slice(0, 20)), 'the token is not in the address any more');
  await control(anna, 'People').click();
  await anna.getByRole('button', { name: 'Mute microphone of Guest' }).click();
  await pressed(ben, 'Microphone', false);
  await control(ben, 'People').click();
  assert.equal(await ben.getByRole('button', { name: /^Remove/ }).count(), 0, 'a guest removes nobody');
  const asked = [];
  anna.on('dialog', (dialog) => {
    asked.push(dialog.message());
    return dialog.accept();
  });
  await anna.getByRole('button', { name: 'Remove Guest' }).click();
  assert.match(asked.join(), /Guest/);
  await ben.getByRole('heading', { name: /removed/i }).waitFor();
  await shoot(ben, 'removed');
  // His connection may end before livekit-client has read the word of it, which it finds worth an error in the console.
  const ends = /^Guest: publisher data channel .* closed unexpectedly/;
  problems.splice(0, problems.length, ...problems.filter((problem) => !ends.test(problem)));
});

test('the page comes back when its connection is lost', { timeout: 60_000 }, async () => {
  const [anna, ben] = [await enter('Anna', 'lost'), await enter('Ben', 'lost')];
  await untilSeen(anna, 'Ben');
  for (const scenario of ['signal-reconnect', 'full-reconnect']) {
    await ben.evaluate((name) => {
      const { room } = window.stoaMeet;
      window.isAway = false;
      for (const word of ['reconnecting', 'signalReconnecting']) room.once(word, () => (window.isAway = true));
      return room.simulateScenario(name);
    }, scenario);
    await until('he is away', () => ben.evaluate(() => window.isAway));
    await until('he is back', () => ben.evaluate(() => window.stoaMeet.room.state === 'connected'), { within: 20_000 });
    await Promise.all([untilSeen(anna, 'Ben'), untilSeen(ben, 'Anna')]);
  }
});
