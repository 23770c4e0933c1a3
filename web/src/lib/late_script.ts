// Scripts that are fetched when they are needed. One that does not arrive may have another name since the server
// was renewed: the address is then loaded anew, once.

// `name` tells the scripts apart. Rejects when the script does not arrive.
export async function lateScript<T>(name: string, load: () => Promise<T>): Promise<T> {
  const key = `stoa.reloaded_for_${name}`;
  try {
    const loaded = await load();
    sessionStorage.removeItem(key);
    return loaded;
  } catch (error) {
    if (sessionStorage.getItem(key) === null) {
      sessionStorage.setItem(key, '1');
      location.reload();
    }
    throw error;
  }
}
