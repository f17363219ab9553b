import pytest
from pydantic import SecretStr

from ticketing_auth.errors import PasswordCommonError, PasswordIsEmailError
from ticketing_auth.passwords import CommonPasswords
from ticketing_auth.repository import UserRepository

from .conftest import RunningAuth

EMAIL = "ann.of.green@example.com"


@pytest.fixture(scope="module")
def common() -> CommonPasswords:
    return CommonPasswords()


@pytest.mark.unit
@pytest.mark.parametrize("password", ["password", "12345678", "PassWord1", " iloveyou ", "qwertyuiop", "trustno1"])
def test_a_common_password_is_refused_however_it_is_written(common: CommonPasswords, password: str) -> None:
    with pytest.raises(PasswordCommonError) as refused:
        common.check_new(SecretStr(password), email=EMAIL)
    assert [error.field for error in refused.value.errors] == ["password"]


@pytest.mark.unit
@pytest.mark.parametrize("password", [EMAIL, EMAIL.upper(), f" {EMAIL}", "Ann.Of.Green"])
def test_the_email_is_refused_as_a_password(common: CommonPasswords, password: str) -> None:
    with pytest.raises(PasswordIsEmailError):
        common.check_new(SecretStr(password), email=EMAIL)


@pytest.mark.unit
@pytest.mark.parametrize("password", ["demo tickets", "correct horse battery", "p" * 128, "🎟" * 8, "passwörd"])
def test_other_passwords_are_accepted(common: CommonPasswords, password: str) -> None:
    common.check_new(SecretStr(password), email=EMAIL)


@pytest.mark.unit
@pytest.mark.parametrize("password", ["ticketing", "Tickets2026!", "--TICKET--", "ticketing.dev", "T-i-c-k-e-t-1"])
def test_a_name_of_the_product_is_no_password_whatever_is_around_it(common: CommonPasswords, password: str) -> None:
    with pytest.raises(PasswordCommonError):
        common.check_new(SecretStr(password), email=EMAIL)


@pytest.mark.unit
def test_the_list_is_longer_than_the_3000_that_asvs_asks_for(common: CommonPasswords) -> None:
    assert len(common._passwords) > 3_000


@pytest.mark.parametrize("password", ["iloveyou", "ann@example.com"])
async def test_signing_up_with_such_a_password_names_the_field_and_makes_no_account(
    auth: RunningAuth, password: str
) -> None:
    answer = await auth.sign_up(password=password)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["password"]
    assert password not in answer.text
    assert await auth.users.collection.count_documents({}) == 0


async def test_an_account_that_has_such_a_password_still_signs_in(auth: RunningAuth) -> None:
    answer = await auth.sign_up()
    users: UserRepository = auth.users
    user = await users.get(answer.json()["id"])
    user.password_hash = await auth.app.state.service._passwords.hash(SecretStr("12345678"))
    await users.save(user)
    assert (await auth.sign_in(password="12345678")).status_code == 200
