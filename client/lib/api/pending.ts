/** Calls of the contract that docs/openapi does not have yet. */
export {};

declare module "./generated" {
  interface Operations {
    "POST /api/users/verification": { query: never; body: undefined; answer: unknown };
    "POST /api/users/verification/confirm": { query: never; body: { token: string }; answer: unknown };
    "POST /api/users/password-reset": { query: never; body: { email: string }; answer: unknown };
    "POST /api/users/password-reset/confirm": {
      query: never;
      body: { token: string; password: string };
      answer: unknown;
    };
    "PUT /api/users/password": { query: never; body: { currentPassword: string; password: string }; answer: unknown };
    "POST /api/users/signout-everywhere": { query: never; body: undefined; answer: unknown };
    "GET /api/users/me/export": { query: never; body: undefined; answer: unknown };
    "DELETE /api/users/me": { query: never; body: { password: string }; answer: unknown };
  }
}
