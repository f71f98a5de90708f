"""The commands, as `python run.py --help` shows them.

What a command stands on is imported in it: a start of the server does not need the generator, and
none of them is needed to be told what there is.
"""

from typing import Annotated

import typer

from app.cli import agents, bench, modules, users
from app.cli.console import CommandError, UsageError, console, explain
from app.core.root import ROOT

cli_app = typer.Typer(
    help="A REST API, live. Without a command: apply the migrations and serve.",
    epilog="Try: [bold]python run.py[/] and open http://127.0.0.1:8000/docs",
    rich_markup_mode="rich",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
NEW_EPILOG = """
Types: str text int bigint float decimal bool date datetime time json uuid email url slug enum ref
many. More, each behind a colon: a length (str:200) or precision (decimal:10.2), optional, unique,
index, min=N, max=N, =DEFAULT behind the type or default=DEFAULT at the end.

status:enum:draft/published=draft  category:ref  owner:ref:users  parent:ref:self:optional
tags:many  opens:time=09:00  rating:int:min=1:max=5  data:json:optional

A required ref goes with what it refers to (CASCADE), an optional one stays without (SET NULL).
Text is searched by ?q=; numbers and dates are filtered by min_ and max_, enums, bools and refs by
equality.

For other code, copy a template from app/cli/scaffold/templates to templates/new and change it.

Try: [bold]python run.py new product name:str:200:unique price:decimal:10.2 stock:int=0[/]
"""

ADD_FIELD_EPILOG = """
Fields as in [bold]new[/]: python run.py new --help lists them. The rows that are there need
something in them: a default (stock:int=0) or nothing (note:text:optional). In a terminal, you are
asked otherwise. Code of yours stays to the letter, and the same again changes nothing.

Try: [bold]python run.py add-field product weight:int=0 origin:str:100:optional[/]
"""

cli_app.add_typer(users.commands, name="user")
cli_app.add_typer(agents.commands)
cli_app.add_typer(bench.commands, name="bench")


@cli_app.callback()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65_535, help="Port to listen on.")
    ] = 8000,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Server processes, without reload.")
    ] = None,
    reload: Annotated[
        bool | None,
        typer.Option("--reload/--no-reload", help="Restart on changes: so in development."),
    ] = None,
) -> None:
    if context.invoked_subcommand is None:
        from app.cli.serving import serve as start

        start(host, port, workers, reload)


@cli_app.command(
    "test",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Everything else goes to pytest: python run.py test -k login -x, or --slow.",
)
def run_tests(
    context: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Test on this database instead of SQLite in memory."),
    ] = None,
    faults: Annotated[
        bool,
        typer.Option("--faults", help="Break things under load: servers of its own, minutes."),
    ] = False,
) -> None:
    """Run the tests."""
    if faults:
        raise typer.Exit(modules.run_module("tests.faults", *context.args))
    raise typer.Exit(modules.run_tests(context.args, database))


@cli_app.command("new", rich_help_panel="Features", epilog=NEW_EPILOG)
def new_command(
    entity: Annotated[
        str, typer.Argument(metavar="ENTITY", help="product, or OrderItem, order_item, order-item.")
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD...", help="name:type:more; without any, name:str:200."),
    ] = None,
    owned: Annotated[
        bool, typer.Option("--owned", help="Rows belong to the user who made them: others get 404.")
    ] = False,
    soft_delete: Annotated[
        bool, typer.Option("--soft-delete", help="Deleted rows stay in the table, unseen.")
    ] = False,
    uuid: Annotated[
        bool, typer.Option("--uuid", help="Ids that nobody can guess or count.")
    ] = False,
    plural: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where English is not enough.")
    ] = None,
    write: Annotated[
        str, typer.Option(metavar="WHO", help="Who may write: anyone, user, staff, admin.")
    ] = "user",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the diff, and touch nothing.")
    ] = False,
    no_migrate: Annotated[
        bool, typer.Option("--no-migrate", help="Leave the database as it is.")
    ] = False,
    no_test: Annotated[bool, typer.Option("--no-test", help="Do not run the new tests.")] = False,
) -> None:
    """Make a feature: model, schemas, service, router, tests and migration."""
    from app.cli.scaffold.workshop import workshop

    # Its Python starts while this one imports the rest.
    with workshop(ROOT, tests=not (no_test or dry_run)) as shop:
        from app.cli.scaffold.making import make_feature

        make_feature(
            shop,
            entity,
            fields or [],
            plural=plural,
            write=write,
            owned=owned,
            soft_delete=soft_delete,
            uuid=uuid,
            dry_run=dry_run,
            migrates=not no_migrate,
            tests=not no_test,
        )


@cli_app.command("copy", rich_help_panel="Features")
def copy_command(
    feature: Annotated[str, typer.Argument(metavar="FEATURE", help="The one that is there.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name of the copy.")],
    plural: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where English is not enough.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the diff, and touch nothing.")
    ] = False,
    no_migrate: Annotated[
        bool, typer.Option("--no-migrate", help="Leave the database as it is.")
    ] = False,
    no_test: Annotated[bool, typer.Option("--no-test", help="Do not run its tests.")] = False,
) -> None:
    """Copy a feature, with all that you have made of it, under another name."""
    from app.cli.scaffold.workshop import workshop

    with workshop(ROOT, tests=not (no_test or dry_run)) as shop:
        from app.cli.scaffold.copying import copy_feature

        copy_feature(
            shop,
            feature,
            new,
            plural=plural,
            dry_run=dry_run,
            migrates=not no_migrate,
            tests=not no_test,
        )


@cli_app.command("add-field", rich_help_panel="Features", epilog=ADD_FIELD_EPILOG)
def add_field_command(
    feature: Annotated[str, typer.Argument(metavar="FEATURE", help="product, products, Product.")],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="FIELD...", help="name:type:more, as in new.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the diff, and touch nothing.")
    ] = False,
    no_migrate: Annotated[
        bool, typer.Option("--no-migrate", help="Leave the database as it is.")
    ] = False,
    no_test: Annotated[bool, typer.Option("--no-test", help="Do not run its tests.")] = False,
) -> None:
    """Add fields to a feature; the rows that are there stay."""
    from app.cli.scaffold.workshop import workshop

    with workshop(ROOT, tests=not (no_test or dry_run)) as shop:
        from app.cli.scaffold.adding import add_fields

        add_fields(
            shop,
            feature,
            fields or [],
            dry_run=dry_run,
            migrates=not no_migrate,
            tests=not no_test,
        )


@cli_app.command("remove", rich_help_panel="Features")
def remove_command(
    feature: Annotated[
        list[str] | None, typer.Argument(metavar="FEATURE...", help="product, products, Product.")
    ] = None,
    examples: Annotated[
        bool, typer.Option("--examples", help="All that the template shows: shop and blog.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what git has not recorded.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the diff, and touch nothing.")
    ] = False,
) -> None:
    """Take a feature away: files, other sides of relationships, table."""
    from app.cli.scaffold.workshop import workshop

    with workshop(ROOT) as shop:
        from app.cli.scaffold.removing import remove_features

        remove_features(shop, feature or [], examples=examples, force=force, dry_run=dry_run)


@cli_app.command("check", rich_help_panel="Features")
def check_command(
    feature: Annotated[
        str | None, typer.Argument(metavar="[FEATURE]", help="product, products; all without one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: docs/checks.md.")] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended without thinking.")
    ] = False,
    explain_rule: Annotated[
        str | None, typer.Option("--explain", metavar="RULE", help="Why there is a rule: R07.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules.")] = False,
) -> None:
    """Judge the features by the rules of the house, and say how to mend what breaks one."""
    from app.cli.checks import command

    if explain_rule or rules:
        command.tell_rules(explain_rule)
    elif not command.check_tree(feature, as_json=as_json, fix=fix):
        raise typer.Exit(1)


@cli_app.command("migrate", context_settings={"ignore_unknown_options": True})  # for -1
def migrate_command(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="Where to go: head, base, +1, -1, an id.")
    ] = "head",
) -> None:
    """Bring the database to the schema of the models."""
    from app.cli.schema import migrate

    console.print(migrate(revision))


@cli_app.command("seed", epilog="Run it again with more rows, and it adds the rest.")
def seed_command(
    rows: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=1_000_000, help="How many products; the other tables follow."
        ),
    ] = 200,
    seed: Annotated[int, typer.Option(metavar="N", help="Another number gives other rows.")] = 1,
    locale: Annotated[
        str, typer.Option(metavar="NAME", help="The language of the data: en_US, pt_BR.")
    ] = "en_US",
) -> None:
    """Fill the development database with believable data."""
    from app.cli.seeding import seed_database

    seed_database(rows, seed, locale)


def cli(arguments: list[str] | None = None) -> int:
    """Run a command and tell its exit code. What a person can mend is one line, no traceback."""
    command = typer.main.get_command(cli_app)
    try:
        # Typer shows its own errors only when it also ends the process.
        command(arguments, prog_name="python run.py")
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except CommandError as error:
        explain(str(error))
        return 2 if isinstance(error, UsageError) else 1
    return 0
