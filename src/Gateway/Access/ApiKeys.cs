using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>The keys that open a gateway.</summary>
internal sealed class ApiKeys(IEnumerable<string> keys)
{
    /// <summary>The owner of everything where there are no keys.</summary>
    public const string Nobody = "local";

    private readonly ApiKey[] _keys = [.. keys.Select(ApiKey.Parse)];

    /// <summary>True: whoever is on this machine may call.</summary>
    public bool IsOpen => _keys.Length == 0;

    /// <summary>The owner that a key is; null for none. It takes the same time whichever key it is, and for none.</summary>
    public string? OwnerOf(string key)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        string? owner = null;
        foreach (var known in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(known.Hash, hash))
                owner = known.Owner;
        }

        return owner;
    }
}
