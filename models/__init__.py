"""Models that write, paint and judge, behind six protocols."""
