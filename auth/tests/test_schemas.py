import pytest
from pydantic import SecretStr, ValidationError

from ticketing_auth.schemas import ResetRequest, SignInRequest, SignUpRequest, TokenForm, TokenResponse

pytestmark = pytest.mark.unit

SECRET = "a secret of mine"


@pytest.mark.parametrize("length", [8, 9, 127, 128])
def test_a_new_password_has_8_to_128_characters(length: int) -> None:
    request = SignUpRequest.model_validate({"email": "ann@example.com", "password": "é" * length})
    assert len(request.password.get_secret_value()) == length


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129, None, 12345678, ["12345678"], "12345678\ud800"])
def test_other_passwords_are_refused(password: object) -> None:
    with pytest.raises(ValidationError):
        SignUpRequest.model_validate({"email": "ann@example.com", "password": password})


def test_the_rules_for_new_passwords_do_not_apply_at_sign_in() -> None:
    assert SignInRequest.model_validate({"email": "ann@example.com", "password": "old"}).password == SecretStr("old")


@pytest.mark.parametrize("password", ["", "x" * 129])
def test_text_that_was_never_a_valid_password_is_refused_at_once(password: object) -> None:
    with pytest.raises(ValidationError):
        SignInRequest.model_validate({"email": "ann@example.com", "password": password})
    with pytest.raises(ValidationError):
        TokenForm.model_validate({"username": "ann@example.com", "password": password})


def test_spaces_around_a_password_belong_to_it_and_around_an_email_do_not() -> None:
    request = SignUpRequest.model_validate({"email": " Ann@example.com ", "password": "  12345678  "})
    assert request.email == "ann@example.com"
    assert request.password.get_secret_value() == "  12345678  "


def test_no_request_shows_its_password() -> None:
    sign_in = SignInRequest.model_validate({"email": "ann@example.com", "password": SECRET})
    form = TokenForm.model_validate({"username": "ann@example.com", "password": SECRET})
    shown = [repr(sign_in), str(sign_in), sign_in.model_dump_json(), repr(form), form.model_dump_json()]
    assert not [text for text in shown if SECRET in text]


def test_a_username_that_is_not_an_email_stays_unchanged() -> None:
    assert TokenForm.model_validate({"username": "nobody", "password": SECRET}).username == "nobody"


def test_a_form_of_another_grant_is_refused() -> None:
    with pytest.raises(ValidationError):
        TokenForm.model_validate({"grant_type": "refresh_token", "username": "a@example.com", "password": SECRET})


def test_a_token_response_has_the_names_of_rfc_6749() -> None:
    response = TokenResponse(access_token="t", expires_in=1800)
    assert response.model_dump(by_alias=True) == {"access_token": "t", "token_type": "bearer", "expires_in": 1800}


@pytest.mark.parametrize("local", ["a" * 65, "ä" * 33], ids=["characters", "bytes"])
def test_a_new_account_has_no_longer_local_part_than_mail_servers_accept(local: str) -> None:
    email, longest = f"{local}@example.com", f"{'a' * 64}@example.com"
    with pytest.raises(ValidationError) as refused:
        SignUpRequest.model_validate({"email": email, "password": SECRET})
    assert [error["loc"] for error in refused.value.errors()] == [("email",)]
    assert SignUpRequest.model_validate({"email": longest, "password": SECRET}).email == longest
    # An account from before the rule.
    assert SignInRequest.model_validate({"email": email, "password": SECRET}).email == email
    assert TokenForm.model_validate({"username": email, "password": SECRET}).username == email
    assert ResetRequest.model_validate({"email": email}).email == email
