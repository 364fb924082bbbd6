import { type AxiosSession, createSession } from '@markt/auth-axios';
import { keyChain } from '@markt/auth-core';
import AsyncStorage from '@react-native-async-storage/async-storage';
import * as SecureStore from 'expo-secure-store';

/** The app's session, and the axios instance that carries it. */
export const connect = (serviceUrl: string): AxiosSession =>
  createSession({ serviceUrl, transport: 'bearer', storage: AsyncStorage, secrets: keyChain(SecureStore) });
