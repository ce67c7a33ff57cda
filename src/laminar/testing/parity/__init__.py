"""What users can rely on whatever the executor: flows that show it, and the suite that looks at them.

The flows import nothing that only tests have, since they also run where there is no pytest.
"""
