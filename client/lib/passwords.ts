/** The rule for a new password, as every form for one shows it; auth enforces it. */
export const NEW_PASSWORD_HINT = "8 characters or more, and none of the common ones.";
