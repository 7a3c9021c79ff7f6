using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace LlmPipeline;

/// <summary>Reads the setting <c>Prices</c>: model → what a million of its tokens cost. Names of models may hold colons, which are separators to the binder.</summary>
internal static class PriceTable
{
    private const string Section = "Prices";

    /// <summary>Whether a setting belongs to it.</summary>
    public static bool Holds(string key) => key.Equals(Section, StringComparison.OrdinalIgnoreCase) || key.StartsWith(Section + ":", StringComparison.OrdinalIgnoreCase);

    /// <summary>The prices, unchecked but for being numbers.</summary>
    /// <param name="settings">All settings, by key.</param>
    /// <param name="where">The file that they stand in, for messages.</param>
    /// <exception cref="CliException">A setting is none, or no number.</exception>
    public static IReadOnlyDictionary<string, TokenPrice> Read(IEnumerable<KeyValuePair<string, string?>> settings, string where)
    {
        var prices = new SortedDictionary<string, TokenPrice>(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in settings.Where(setting => Holds(setting.Key) && !string.IsNullOrEmpty(setting.Value)))
        {
            var last = key.LastIndexOf(':');
            if (last <= Section.Length)
                throw CliException.Usage($"{where}: {key}: a price is {Section}:MODEL:Input, :CachedInput and :Output");
            if (!decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
                throw CliException.Usage($"{where}: {key}: '{value}' is not a number");
            var model = key[(Section.Length + 1)..last];
            var price = prices.TryGetValue(model, out var known) ? known : prices[model] = new TokenPrice();
            switch (key[(last + 1)..].ToUpperInvariant())
            {
                case "INPUT":
                    price.Input = number;
                    break;
                case "CACHEDINPUT":
                    price.CachedInput = number;
                    break;
                case "OUTPUT":
                    price.Output = number;
                    break;
                default:
                    throw CliException.Usage($"{where}: there is no such setting: {key}; a price has Input, CachedInput and Output");
            }
        }

        return prices;
    }
}
