"""Goods on their way: cartons, dispatch, receipt, return, sale, destruction."""
