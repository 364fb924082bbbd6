/**
 * What the service's OpenAPI document says of its routes, as types: a route that isn't there, or a body that isn't as
 * the document has it, doesn't compile.
 */

import type { components, paths } from './openapi.js';

type Schemas = components['schemas'];

/** A user, without what belongs to the accounts as a buyer or a seller. */
export type User = Schemas['UserBody'];
/** A user, and all that belongs to the profile. */
export type Profile = Schemas['ProfileBody'];
/** A session, as `GET /session` shows it. */
export type Session = Schemas['SessionBody'];
/** A session among the user's others. */
export type Device = Schemas['DeviceBody'];
/** What a user can act as. */
export type Role = Schemas['RoleName'];
/** What went wrong, for programs: a closed list. */
export type ErrorType = Schemas['ErrorType'];
/** The body of every error. */
export type ErrorBody = Schemas['ErrorBody'];
/** What a user logs in with. */
export type Credentials = Schemas['LoginBody'];
/** What a user registers with. */
export type Registration = Schemas['RegisterBody'];
/** What came of switching roles. */
export type Switched = Schemas['SwitchedBody'];

/** The methods that the service's routes have. */
export type Method = 'get' | 'post' | 'patch' | 'delete';
/** The routes that have this method. */
export type Path<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, infer Operation> ? (Operation extends undefined ? never : P) : never;
}[keyof paths];

type Operation<M extends Method, P extends Path<M>> = Extract<paths[P], Record<M, unknown>>[M];
type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;

/** What this route is to be sent. */
export type RequestBody<M extends Method, P extends Path<M>> =
  Operation<M, P> extends { requestBody: infer Body } ? Json<Body> : undefined;

/** What this route answers if all went well. */
export type Answer<M extends Method, P extends Path<M>> =
  Operation<M, P> extends { responses: infer Responses }
    ? { [Status in keyof Responses & (200 | 201 | 202 | 204)]: Json<Responses[Status]> }[keyof Responses &
        (200 | 201 | 202 | 204)]
    : never;
