"""What proves that an account is yours: its password and its address."""

from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import session_scope
from app.core.errors import BadRequestError, ConflictError
from app.core.mail import send_mail
from app.core.rate_limit import check_rate
from app.core.security import check_password, hash_password, verify_password
from app.models.token import TokenKind
from app.models.user import User
from app.schemas.auth import PasswordResetConfirm
from app.schemas.user import PasswordChange
from app.services.base import change_rows
from app.services.later import Later
from app.services.tokens import BAD_TOKEN, Client, active, add_token, end_tokens, use_token

CHANGED_MEANWHILE = "The password was changed at the same time."


class AccountService:
    @staticmethod
    def change_password(db: Session, user: User, data: PasswordChange, client: Client) -> None:
        """Change the own password and end every session."""
        new = data.new_password.get_secret_value()
        check_password(new, user.username, user.email, field="new_password")
        user_id = user.id
        hashed = prove_password(db, user, data.current_password, client)
        _set_password(db, user_id, hashed, hash_password(new))
        db.commit()

    @staticmethod
    def request_password_reset(email: str, client: Client, later: Later) -> None:
        """Mail a token. Whether there is such an account shows neither in answer nor time."""
        check_rate("password-reset", account=email, address=client.address)
        later(mail_token, email, TokenKind.PASSWORD_RESET)

    @staticmethod
    def confirm_password_reset(db: Session, data: PasswordResetConfirm, client: Client) -> None:
        """Set a new password with a mailed token and end every session."""
        check_rate("confirm", account=data.token, address=client.address)
        token = use_token(db, TokenKind.PASSWORD_RESET, data.token)
        user = db.scalar(select(User).where(User.id == token.user_id, *active())) if token else None
        if user is None:
            db.commit()
            raise BadRequestError(BAD_TOKEN)
        new = data.new_password.get_secret_value()
        user_id, hashed = user.id, user.hashed_password
        # A password that is refused leaves the token unused: this transaction is rolled back.
        check_password(new, user.username, user.email, field="new_password")
        db.rollback()  # no connection is held while the password is hashed
        new_hash = hash_password(new)
        if use_token(db, TokenKind.PASSWORD_RESET, data.token) is None:
            db.commit()
            raise BadRequestError(BAD_TOKEN)
        _set_password(db, user_id, hashed, new_hash)
        db.commit()

    @staticmethod
    def request_email_verification(email: str, client: Client, later: Later) -> None:
        """Mail a token. Whether there is such an account shows neither in answer nor time."""
        check_rate("verify-email", account=email, address=client.address)
        later(mail_token, email, TokenKind.EMAIL_VERIFICATION)

    @staticmethod
    def confirm_email(db: Session, token: str, client: Client) -> None:
        check_rate("confirm", account=token, address=client.address)
        used = use_token(db, TokenKind.EMAIL_VERIFICATION, token)
        if used is not None:
            change_rows(
                db,
                update(User)
                .where(User.id == used.user_id, *active())
                .values(email_verified_at=utcnow(), version=User.version + 1),
            )
        db.commit()
        if used is None:
            raise BadRequestError(BAD_TOKEN)


def prove_password(db: Session, user: User, password: SecretStr, client: Client) -> str:
    """The hash of the current password; a BadRequestError when `password` is another one."""
    # Who has stolen a session must not find out the password with it.
    check_rate("password", account=str(user.id), address=client.address)
    hashed = user.hashed_password
    db.rollback()  # no connection is held while passwords are hashed
    if not verify_password(password.get_secret_value(), hashed)[0]:
        raise BadRequestError("The current password is wrong.")
    return hashed


def _set_password(db: Session, user_id: int, old_hash: str, new_hash: str) -> None:
    """Replace the password, unless somebody else did meanwhile, and end every token."""
    changed = change_rows(
        db,
        update(User)
        .where(User.id == user_id, User.hashed_password == old_hash, *active())
        .values(hashed_password=new_hash, version=User.version + 1),
    )
    if changed != 1:
        raise ConflictError(CHANGED_MEANWHILE)
    end_tokens(db, user_id)


MAILS = {
    TokenKind.PASSWORD_RESET: (
        "reset your password",
        """Somebody asked to reset the password of {username}. If it was you, send this token to
POST {path}:

{secret}

It works once, for {minutes} minutes. If it was not you, do nothing.""",
        "/auth/password-reset/confirm",
    ),
    TokenKind.EMAIL_VERIFICATION: (
        "confirm your email address",
        """To confirm that this is the address of {username}, send this token to
POST {path}:

{secret}

It works once, for {minutes} minutes.""",
        "/auth/verify-email/confirm",
    ),
}


def mail_token(email: str, kind: TokenKind) -> None:
    """Mail a new token, when there is such an account. Runs after the answer was sent."""
    settings = get_settings()
    with session_scope() as db:
        user = db.scalar(select(User).where(User.email_key == email.casefold(), *active()))
        if user is None or (kind is TokenKind.EMAIL_VERIFICATION and user.email_verified_at):
            return
        to, username = user.email, user.username
        end_tokens(db, user.id, kinds=(kind,))  # the newest mail is the one that works
        secret, _ = add_token(db, user.id, kind)
    subject, text, path = MAILS[kind]
    values = {"username": username, "secret": secret, "path": settings.api_prefix + path}
    send_mail(to, subject, text.format(**values, minutes=settings.mailed_token_minutes))
