"""Who judges this repository: the processes, clients and suites of others, and how tests start them."""
