"""The checks before a deployment. Each module has the rows of one subject.

A row that could not be read is *not checked*, with the reason. It never stops the others. Only proof is a
finding.
"""
