"""Does pretraining place new items? Two studies, as planned in docs/research/language.md.

    python -m benchmarks.language_new_items try online-retail   # settings; a file per trial
    python -m benchmarks.language_new_items run online-retail   # five seeds a row, then the test
    python -m benchmarks.language_new_items                     # the tables of both

``online-retail``: known users' first purchases of products that training never met.
``ml-1m-films``: films held out whole. Who chose what is in no file: ranks alone are kept.
"""
