"""What a study's trainings say about claims: the numbers of each training, intervals over seeds, and verdicts."""
