"""Files for systems outside that have no public interface: portal, ministry, buyers, shops.

Nothing here connects to anything: a clerk downloads a file and hands it over or uploads it. Which
fields those systems want is known in part only; each list of columns says from where we have it.
"""
