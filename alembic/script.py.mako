<%!
def plain(code):
    """Without the remarks of autogenerate: what it wrote is read, and then it is ours."""
    lines = [line for line in code.splitlines() if not line.lstrip().startswith("# ###")]
    return "\n".join(lines).strip()
%>\
"""${message}

Revision: ${up_revision}
After: ${down_revision | comma,n}
Created: ${create_date}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass" | plain}


def downgrade() -> None:
    ${downgrades if downgrades else "pass" | plain}
