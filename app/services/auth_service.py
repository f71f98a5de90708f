import uuid

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import session_scope
from app.core.errors import BadRequestError, ConflictError, NotFoundError, UnauthorizedError
from app.core.mail import send_mail
from app.core.rate_limit import check_rate
from app.core.security import (
    AccessClaims,
    check_password,
    create_access_token,
    hash_password,
    verify_password,
)
from app.models.token import Token, TokenKind
from app.models.user import User
from app.schemas.auth import PasswordResetConfirm, SessionParams, SessionRead, TokenPair
from app.schemas.base import Page
from app.schemas.user import PasswordChange
from app.services.base import paginate
from app.services.later import Later
from app.services.tokens import (
    Client,
    add_token,
    end_family,
    end_tokens,
    forget_expired_tokens,
    use_token,
)

BAD_TOKEN = "The token is not valid, was used, or has ended."  # noqa: S105 - a message


class AuthService:
    @staticmethod
    def authenticate(db: Session, claims: AccessClaims) -> User:
        """The user of an access token whose session still lives. One statement."""
        session_lives = (
            select(Token.id)
            .where(
                Token.family == claims.session,
                Token.user_id == claims.user_id,
                Token.kind == TokenKind.REFRESH,
                Token.used_at.is_(None),
            )
            .exists()
        )
        user = db.scalar(select(User).where(User.id == claims.user_id, *_active(), session_lives))
        if user is None:
            raise UnauthorizedError("The session has ended.")
        return user

    @staticmethod
    def login(db: Session, username: str, password: str, client: Client) -> TokenPair:
        """Sign in by username or email."""
        check_rate("login", account=username, address=client.address)
        # No account has a name that cannot be printed, and PostgreSQL refuses to look for a NUL.
        name = username.casefold() if username.isprintable() else ""
        found = db.execute(
            select(User.id, User.hashed_password).where(
                or_(User.username_key == name, User.email_key == name), *_active()
            )
        ).first()
        db.rollback()  # no connection is held while the password is hashed
        user_id, hashed = found or (0, None)
        correct, replacement = verify_password(password, hashed)
        if not correct:
            raise UnauthorizedError("Wrong username or password.")
        # The password that was verified must still be the one: it may have changed meanwhile.
        updated = db.execute(
            update(User)
            .where(User.id == user_id, User.hashed_password == hashed, *_active())
            .values(
                last_login_at=utcnow(),
                hashed_password=replacement or hashed,
                updated_at=User.updated_at,  # a login is no change of the account
            )
            .execution_options(synchronize_session=False)
        )
        if updated.rowcount != 1:  # type: ignore[attr-defined]
            raise UnauthorizedError("Wrong username or password.")
        forget_expired_tokens(db, user_id)
        secret, family = add_token(db, user_id, TokenKind.REFRESH, client=client)
        db.commit()
        return _token_pair(user_id, family, secret)

    @staticmethod
    def refresh(db: Session, refresh_token: str, client: Client) -> TokenPair:
        """Trade a refresh token for a new pair. It works once."""
        token = use_token(db, TokenKind.REFRESH, refresh_token)
        if token is None:
            db.commit()  # what a stolen token ends must stay ended
            raise UnauthorizedError(BAD_TOKEN)
        if db.scalar(select(User.id).where(User.id == token.user_id, *_active())) is None:
            raise UnauthorizedError(BAD_TOKEN)
        secret, family = add_token(db, token.user_id, TokenKind.REFRESH, client=client, after=token)
        db.commit()
        return _token_pair(token.user_id, family, secret)

    @staticmethod
    def logout(db: Session, user: User, session: uuid.UUID) -> None:
        end_family(db, user.id, session)
        db.commit()

    @staticmethod
    def list_sessions(db: Session, user: User, params: SessionParams) -> Page[SessionRead]:
        """The user's sessions: each has one refresh token that is unused."""
        living = select(Token).where(
            Token.user_id == user.id,
            Token.kind == TokenKind.REFRESH,
            Token.used_at.is_(None),
            Token.expires_at > utcnow(),
        )
        return paginate(db, living, params, SessionRead)

    @staticmethod
    def end_session(db: Session, user: User, session: uuid.UUID) -> None:
        if not end_family(db, user.id, session):
            raise NotFoundError("Session not found.")
        db.commit()

    @staticmethod
    def change_password(db: Session, user: User, data: PasswordChange) -> None:
        """Change the own password and end every session."""
        user_id, hashed = user.id, user.hashed_password
        new = data.new_password.get_secret_value()
        check_password(new, user.username, user.email, field="new_password")
        db.rollback()  # no connection is held while passwords are hashed
        if not verify_password(data.current_password.get_secret_value(), hashed)[0]:
            raise BadRequestError("The current password is wrong.")
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
        user = (
            db.scalar(select(User).where(User.id == token.user_id, *_active())) if token else None
        )
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
            db.execute(
                update(User)
                .where(User.id == used.user_id, *_active())
                .values(email_verified_at=utcnow(), version=User.version + 1)
                .execution_options(synchronize_session=False)
            )
        db.commit()
        if used is None:
            raise BadRequestError(BAD_TOKEN)


def _active() -> tuple[ColumnElement[bool], ...]:
    return User.is_active.is_(True), User.deleted_at.is_(None)


def _token_pair(user_id: int, family: uuid.UUID, secret: str) -> TokenPair:
    return TokenPair(
        access_token=create_access_token(AccessClaims(user_id, family)),
        expires_in=get_settings().access_token_minutes * 60,
        refresh_token=secret,
    )


def _set_password(db: Session, user_id: int, old_hash: str, new_hash: str) -> None:
    """Replace the password, unless somebody else did meanwhile, and end every token."""
    changed = db.execute(
        update(User)
        .where(User.id == user_id, User.hashed_password == old_hash, *_active())
        .values(hashed_password=new_hash, version=User.version + 1)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise ConflictError("The password was changed at the same time.")
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
        user = db.scalar(select(User).where(User.email_key == email.casefold(), *_active()))
        if user is None or (kind is TokenKind.EMAIL_VERIFICATION and user.email_verified_at):
            return
        to, username = user.email, user.username
        end_tokens(db, user.id, kinds=(kind,))  # the newest mail is the one that works
        secret, _ = add_token(db, user.id, kind)
    subject, text, path = MAILS[kind]
    values = {"username": username, "secret": secret, "path": settings.api_prefix + path}
    send_mail(to, subject, text.format(**values, minutes=settings.mailed_token_minutes))
