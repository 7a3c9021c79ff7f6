using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>What a list was asked for.</summary>
internal sealed record ListQuery(int Limit, bool Ascending, string? After)
{
    /// <summary>Reads <c>limit</c>, <c>order</c> and <c>after</c>.</summary>
    /// <exception cref="ApiException">One of them is wrong.</exception>
    public static ListQuery Read(HttpRequest request, int most, int otherwise)
    {
        var (limit, order, after) = (request.Query["limit"].ToString(), request.Query["order"].ToString(), request.Query["after"].ToString());
        var count = otherwise;
        if (limit.Length > 0 && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count < 1 || count > most))
            throw ApiError.Invalid("limit", $"'limit' must be a whole number from 1 to {most}.").Thrown();
        if (order is not ("" or "asc" or "desc"))
            throw ApiError.Invalid("order", "'order' must be 'asc' or 'desc'.").Thrown();
        return new ListQuery(count, order == "asc", after.Length > 0 ? after : null);
    }
}
