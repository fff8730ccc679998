"""Reports: one self-contained HTML page that says how a run went."""
