"""What can go wrong, as services say it. `app/core/problems.py` turns each into its HTTP answer.

AppError
├── BadRequestError            400  malformed, or a proof (password, mailed token) that is wrong
├── UnauthorizedError          401  not signed in
├── ForbiddenError             403  signed in, and not allowed
├── NotFoundError              404
├── ConflictError              409
├── PreconditionFailedError    412  If-Match names another version
├── UnsupportedMediaTypeError  415
├── InvalidError               422  well-formed, and not acceptable
├── PreconditionRequiredError  428  If-Match is missing, and REQUIRE_IF_MATCH is set
├── TooManyRequestsError       429
└── UnavailableError           503  the database is away or busy
"""

# What is wrong where in the input: (("items", 3, "name"), "is already taken").
FieldErrors = list[tuple[tuple[str | int, ...], str]]


class AppError(Exception):
    """An expected failure with a message that the client may read.

    errors: the parts of the input that caused it, if there are several.
    """

    status = 500
    title = "Internal Server Error"

    def __init__(self, detail: str, errors: FieldErrors | None = None, **headers: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        # Keywords cannot hold a dash: Retry_After stands for Retry-After.
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class BadRequestError(AppError):
    status = 400
    title = "Bad Request"


class UnauthorizedError(AppError):
    status = 401
    title = "Unauthorized"

    def __init__(self, detail: str = "Sign in first.") -> None:
        super().__init__(detail, WWW_Authenticate="Bearer")


class ForbiddenError(AppError):
    status = 403
    title = "Forbidden"


class NotFoundError(AppError):
    status = 404
    title = "Not Found"


class ConflictError(AppError):
    status = 409
    title = "Conflict"


class PreconditionFailedError(AppError):
    status = 412
    title = "Precondition Failed"


class UnsupportedMediaTypeError(AppError):
    status = 415
    title = "Unsupported Media Type"


class InvalidError(AppError):
    """Invalid input that only the service can tell, shown like any other 422.

    field: the name of the field in the request's body, or query.
    """

    status = 422
    title = "Unprocessable Content"

    def __init__(
        self, detail: str, field: str | None = None, errors: FieldErrors | None = None
    ) -> None:
        super().__init__(detail, errors or ([((field,), detail)] if field else None))
        self.field = field


class PreconditionRequiredError(AppError):
    status = 428
    title = "Precondition Required"


class TooManyRequestsError(AppError):
    """retry_after: whole seconds until the next try can succeed."""

    status = 429
    title = "Too Many Requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many tries. Try again in {retry_after} s.", Retry_After=str(retry_after)
        )


class UnavailableError(AppError):
    status = 503
    title = "Service Unavailable"

    def __init__(self, detail: str, retry_after: int = 2) -> None:
        super().__init__(detail, Retry_After=str(retry_after))
