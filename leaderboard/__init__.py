"""Untrusted submissions: validate, store, score, rank, show.

| what | where |
|---|---|
| what a submission is for, made of an annotated set | `board`, `board_making`, `board_labels` |
| is it one? the same check for whoever sends and whoever receives | `submission`, `submission_...` |
| what was accepted, claimed, scored, flagged: files that are created once | `store`, `store_...` |
| a submission of an installed method | `packaging`, `packaging_board`, `submission_writing` |
| to a leaderboard on the network | `submission_sending` |
| scores, where the hidden labels are | `scoring`, `scoring_...` |
| the table: made there, read anywhere | `ranking`, `ranking_...` |
| the page, and what programs ask of it | `app`, `app_...`, `space/` |
"""
