from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from app.core.columns import utcnow
from app.core.errors import ConflictError, ForbiddenError
from app.core.rate_limit import check_rate
from app.core.security import check_password, hash_password
from app.models.token import TokenKind
from app.models.user import Role, User
from app.schemas.base import Page
from app.schemas.user import (
    BulkStatus,
    EmailChange,
    ProfileUpdate,
    UserCreate,
    UserParams,
    UserRead,
    UserRegister,
    UserReplace,
    UserStats,
    UserUpdate,
)
from app.services.account_service import CHANGED_MEANWHILE, mail_token, prove_password
from app.services.base import (
    Versions,
    change_rows,
    check_version,
    exists,
    get_or_404,
    paginate,
    remove,
    restore,
    save,
)
from app.services.later import Later
from app.services.tokens import MAILED, Client, active, end_tokens, lock_users

OWN_RIGHTS = "You cannot take your own rights away. Ask another administrator."


class UserService:
    @staticmethod
    def list_users(db: Session, params: UserParams) -> Page[UserRead]:
        return paginate(db, select(User), params, UserRead)

    @staticmethod
    def get_user(db: Session, user_id: int) -> User:
        return get_or_404(db, User, user_id)

    @staticmethod
    def register_user(db: Session, data: UserRegister, client: Client, later: Later) -> User:
        """Make an account for whoever asks, and mail a token to confirm the address."""
        check_rate("register", account=data.email, address=client.address)
        user = save(db, _new_user(db, data))
        later(mail_token, user.email, TokenKind.EMAIL_VERIFICATION)
        return user

    @staticmethod
    def create_user(db: Session, data: UserCreate) -> User:
        return save(db, _new_user(db, data))

    @staticmethod
    def replace_user(
        db: Session, admin: User, user_id: int, data: UserReplace, if_match: Versions
    ) -> User:
        user = get_or_404(db, User, user_id, if_match=if_match)
        return _change(db, admin, user, data.model_dump())

    @staticmethod
    def update_user(
        db: Session, admin: User, user_id: int, data: UserUpdate, if_match: Versions
    ) -> User:
        user = get_or_404(db, User, user_id, if_match=if_match)
        return _change(db, admin, user, data.changes())

    @staticmethod
    def update_profile(db: Session, user: User, data: ProfileUpdate, if_match: Versions) -> User:
        check_version(user, if_match)
        return _change(db, user, user, data.changes())

    @staticmethod
    def change_email(
        db: Session, user: User, data: EmailChange, client: Client, later: Later
    ) -> User:
        """Change the own address. Who has stolen a session must not take the account with it."""
        user_id = user.id
        hashed = prove_password(db, user, data.current_password, client)
        same = (User.id == user_id, User.hashed_password == hashed)
        proved = db.scalar(select(User).where(*same, *active()))
        if proved is None:
            raise ConflictError(CHANGED_MEANWHILE)
        changed = _change(db, proved, proved, {"email": data.email})
        later(mail_token, changed.email, TokenKind.EMAIL_VERIFICATION)
        return changed

    @staticmethod
    def delete_user(
        db: Session, admin: User, user_id: int, if_match: Versions, *, hard: bool = False
    ) -> None:
        """Mark the account as deleted, or erase it with all that belongs to it."""
        _check_rights(db, admin, user_id)
        user = get_or_404(db, User, user_id, if_match=if_match, include_deleted=hard)
        end_tokens(db, user.id)
        remove(db, user, hard=hard)

    @staticmethod
    def delete_profile(db: Session, user: User, if_match: Versions) -> None:
        """Delete the own account. Username and email are free again."""
        check_version(user, if_match)
        if user.is_superuser:
            raise ConflictError(OWN_RIGHTS)
        end_tokens(db, user.id)
        remove(db, user)

    @staticmethod
    def restore_user(db: Session, user_id: int) -> User:
        return restore(db, get_or_404(db, User, user_id, include_deleted=True))

    @staticmethod
    def activate_user(db: Session, user_id: int) -> User:
        return save(db, get_or_404(db, User, user_id), is_active=True)

    @staticmethod
    def deactivate_user(db: Session, admin: User, user_id: int) -> User:
        """Keep a user from signing in, and end every session of theirs."""
        return _change(db, admin, get_or_404(db, User, user_id), {"is_active": False})

    @staticmethod
    def verify_email(db: Session, user_id: int) -> User:
        user = get_or_404(db, User, user_id)
        return save(db, user, email_verified_at=user.email_verified_at or utcnow())

    @staticmethod
    def set_status(db: Session, admin: User, data: BulkStatus) -> int:
        """Activate or deactivate many at once; how many were changed by it."""
        if not data.is_active:
            _check_rights(db, admin, *data.ids)
            end_tokens(db, *data.ids)
        changed = change_rows(
            db,
            update(User)
            .where(
                User.id.in_(data.ids),
                User.is_active.is_not(data.is_active),
                User.deleted_at.is_(None),
            )
            .values(is_active=data.is_active, version=User.version + 1),
        )
        db.commit()
        return changed

    @staticmethod
    def get_stats(db: Session) -> UserStats:
        rows = db.execute(
            select(User.role, func.count(), func.sum(case((User.is_active, 1), else_=0)))
            .where(User.deleted_at.is_(None))
            .group_by(User.role)
        ).all()
        return UserStats(
            total=sum(number for _, number, _ in rows),
            active=sum(active for _, _, active in rows),
            by_role=dict.fromkeys(Role, 0) | {role: number for role, number, _ in rows},
        )


def _new_user(db: Session, data: UserRegister) -> User:
    password = data.password.get_secret_value()
    check_password(password, data.username, data.email)
    db.rollback()  # no connection is held while the password is hashed
    values = data.model_dump(exclude={"password"})
    return User(**values, hashed_password=hash_password(password))


def _change(db: Session, actor: User, user: User, changes: dict[str, Any]) -> User:
    if changes.get("role", user.role) is not user.role or changes.get("is_active") is False:
        _check_rights(db, actor, user.id)
    if changes.get("is_active") is False:
        end_tokens(db, user.id)
    if changes.get("email", user.email).casefold() != user.email.casefold():
        # What was proved or mailed concerned the old address.
        changes["email_verified_at"] = None
        end_tokens(db, user.id, kinds=MAILED)
    return save(db, user, **changes)


def _check_rights(db: Session, admin: User, *user_ids: int) -> None:
    """Before somebody's rights are changed: that an administrator is left, who could undo it.

    Nobody takes away their own, and of two who take each other's at one moment, the second finds
    that it is none any more. Locked in the order of ids, so they do not deadlock.
    """
    if admin.id in user_ids:
        raise ConflictError(OWN_RIGHTS)
    lock_users(db, admin.id, *user_ids)
    if not exists(db, User, User.id == admin.id, User.role == Role.ADMIN, *active()):
        raise ForbiddenError("You are no administrator any more.")
