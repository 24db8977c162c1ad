"""What learns and answers: training, evaluation, versions, the bundle that serves, and back-tests."""
