/** Expo's SecureStore where there is no key chain. */

const items = new Map<string, string>();

export const getItemAsync = async (key: string) => items.get(key) ?? null;
export const setItemAsync = async (key: string, value: string) => void items.set(key, value);
export const deleteItemAsync = async (key: string) => void items.delete(key);
