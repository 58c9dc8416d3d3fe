"""Recordings of dirtyrec in Python: entries, iterations, pages and the named queries, as Arrow, numpy or pandas.

    import dirtyrec

    with dirtyrec.open("demo.db") as recording:
        print(recording.info["guest"], len(recording.entries(vcpu=0)))
        hottest = recording.query("pages/hottest", limit=5).to_pandas()

It answers with the SQL of dirtyrec itself and computes nothing of its own. Only the standard library is needed; ``to_numpy``,
``to_arrow`` and ``to_pandas`` use the package that they name, without copying what is a number.
"""
from .queries import NamedQuery, Parameter, named_queries
from .recording import Recording, RecordingError, open
from .table import Table

__all__ = ["NamedQuery", "Parameter", "Recording", "RecordingError", "Table", "named_queries", "open"]
