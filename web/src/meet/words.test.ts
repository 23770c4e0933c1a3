import { describe, expect, test } from 'vitest';
import { bannerText, deviceErrorText, farewellOf, joinErrorOf, publishErrorText } from './words';

const failure = { name: '', message: '', status: null, farewell: '' };

describe('farewellOf', () => {
  test('says who ended it', () => {
    expect(farewellOf('CLIENT_INITIATED').title).toBe('You have left');
    expect(farewellOf('PARTICIPANT_REMOVED').title).toBe('You were removed');
    expect(farewellOf('ROOM_DELETED').title).toBe('The meeting was ended');
    expect(farewellOf('DUPLICATE_IDENTITY').title).toBe('You joined from elsewhere');
  });

  test('names the way of media when it failed', () => {
    expect(farewellOf('MEDIA_FAILURE').text).toContain('UDP');
  });

  test('has words for reasons of another version, and for the names of built-in properties', () => {
    for (const reason of ['', 'NEW_REASON', 'constructor']) {
      expect(farewellOf(reason).title).toBe('The connection was lost');
    }
  });
});

describe('joinErrorOf', () => {
  test('tells a missing way of media from a missing server', () => {
    const ice = joinErrorOf({
      ...failure,
      name: 'InternalError',
      message: 'could not establish pc connection',
    });
    expect(ice.text).toContain('UDP');
    expect(ice.reason).toBe('InternalError: could not establish pc connection');
    expect(joinErrorOf({ ...failure, name: 'ServerUnreachable' }).text).toContain('does not answer');
  });

  test('tells a refused token from a missing room', () => {
    expect(
      joinErrorOf({ ...failure, name: 'NotAllowed', status: 401, message: 'invalid token' }).text,
    ).toContain('invitation');
    const wrapped = {
      ...failure,
      name: 'ServerUnreachable',
      status: 401,
      message: 'could not establish signal connection',
    };
    expect(joinErrorOf(wrapped).text).toContain('invitation');
    const missing = { ...failure, name: 'NotAllowed', status: 404, message: 'requested room does not exist' };
    expect(joinErrorOf(missing).text).toContain('no such room');
    expect(joinErrorOf(missing).reason).toBe('NotAllowed, HTTP 404: requested room does not exist');
  });

  test('says why the server sent one away', () => {
    const sent = joinErrorOf({ ...failure, name: 'LeaveRequest', farewell: 'ROOM_DELETED' });
    expect(sent.text).toContain('The meeting was ended');
    expect(sent.reason).toBe('LeaveRequest, ROOM_DELETED');
  });

  test('shows no token, and no more of a message than fits', () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl';
    const { reason } = joinErrorOf({
      ...failure,
      name: 'NotAllowed',
      message: `invalid token: ${token}, error: expired`,
    });
    expect(reason).toBe('NotAllowed: invalid token: (token), error: expired');
    expect(joinErrorOf({ ...failure, message: 'x '.repeat(5000) }).reason.length).toBeLessThan(300);
  });

  test('has a text and a reason for an error that it does not know', () => {
    expect(joinErrorOf(failure)).toEqual({ text: 'The connection could not be made.', reason: 'Error' });
  });
});

describe('device errors', () => {
  test('name the device and the remedy', () => {
    expect(deviceErrorText('camera', 'NotAllowedError')).toContain('Allow it');
    expect(deviceErrorText('microphone', 'NotFoundError')).toBe('No microphone was found on this device.');
    expect(deviceErrorText('camera', 'NotReadableError')).toContain('another program');
    expect(deviceErrorText('screen', 'NotAllowedError')).toContain('screen is not shared');
    expect(deviceErrorText('camera', 'InsecureContext')).toContain('HTTPS');
    expect(deviceErrorText('camera', 'Strange', 'it broke')).toBe('The camera did not start: it broke');
  });

  test('tell what may not be sent from what did not get through', () => {
    expect(
      publishErrorText('screen', 'PublishTrackError', 'failed to publish track, insufficient permissions'),
    ).toContain('invitation');
    expect(publishErrorText('camera', 'ConnectionError', 'publication of local track timed out')).toContain(
      'did not answer',
    );
    expect(publishErrorText('microphone', 'NegotiationError', '')).toContain('could not agree');
  });
});

describe('bannerText', () => {
  test('says what goes on and what does not', () => {
    expect(bannerText('signal_lost', true)).toContain('go on');
    expect(bannerText('lost', true)).toContain('Nobody hears');
    expect(bannerText('lost', false)).toContain('offline');
    expect(bannerText('no_media', true)).toContain('no way');
    expect(bannerText('up', true)).toBe('');
  });
});
