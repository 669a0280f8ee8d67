"""What an answer says: from exchanges to the verdicts of clauses."""
