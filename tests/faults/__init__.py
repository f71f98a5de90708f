"""What must hold when something breaks: `python run.py test --faults`, told in docs/faults.md.

Real servers of its own, the app as real processes, a few clients that write, and something that
breaks in between. Afterwards an oracle compares what was acknowledged with what is stored.

    hosts.py    the databases: started, stopped, crashed and silenced
    load.py     the clients, and what they were answered
    shop.py     what was acknowledged, and the oracle
    stage.py    one database with the app in front of it
    suite.py    which faults there are, how one is run and judged

and the faults themselves, in the other modules. It is no part of the plain suite: it takes minutes.
"""
