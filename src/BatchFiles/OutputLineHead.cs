using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>What an output line says of its row: which batch, which row, how it ended.</summary>
internal readonly ref struct OutputLineHead
{
    /// <summary>How every line begins that we have written.</summary>
    public static ReadOnlySpan<byte> Start => "{\"id\":\"batch_req_"u8;

    /// <summary>The batch's id, UTF-8.</summary>
    public ReadOnlySpan<byte> Batch { get; private init; }

    /// <summary>The row, from 1.</summary>
    public int Row { get; private init; }

    /// <summary>A 2xx answer without an error.</summary>
    public bool IsCompletion { get; private init; }

    /// <summary>What the row asked for, as hashes; empty where the line does not tell.</summary>
    public ReadOnlySpan<byte> Request { get; private init; }

    /// <summary>A simulator's answer.</summary>
    public bool IsSimulated { get; private init; }

    /// <summary>Reads the line to its end, so that a torn one is never taken for whole. False for anything but a batch output line with a row.</summary>
    public static bool TryRead(ReadOnlySpan<byte> line, out OutputLineHead head)
    {
        head = default;
        try
        {
            return Read(line, out head);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escape of half a surrogate pair in the id.
            return false;
        }
    }

    private static bool Read(ReadOnlySpan<byte> line, out OutputLineHead head)
    {
        head = default;
        var reader = new Utf8JsonReader(line, OutputBody.AnyDepth);
        ReadOnlySpan<byte> id = default;
        int status = 0;
        ReadOnlySpan<byte> request = default;
        bool ended = false, hasError = false, isSimulated = false;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("id"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                    return false;
                id = reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;
            }
            else if (reader.ValueTextEquals("response"u8))
            {
                reader.Read();
                status = ReadStatus(ref reader);
                ended |= status != 0;
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                reader.Read();
                hasError = reader.TokenType != JsonTokenType.Null;
                ended |= hasError;
                reader.Skip();
            }
            else if (reader.ValueTextEquals("request"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped)
                    request = reader.ValueSpan;
                reader.Skip();
            }
            else if (reader.ValueTextEquals("simulated"u8))
            {
                reader.Read();
                isSimulated = reader.TokenType == JsonTokenType.True;
                reader.Skip();
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        // The reader throws on anything but white space after the closing brace.
        while (reader.Read())
        {
        }

        if (!ended || !TrySplit(id, out ReadOnlySpan<byte> batch, out int row))
            return false;
        head = new OutputLineHead { Batch = batch, Row = row, IsCompletion = !hasError && status is >= 200 and <= 299, IsSimulated = isSimulated, Request = request };
        return true;
    }

    private static int ReadStatus(ref Utf8JsonReader reader)
    {
        int status = 0;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return 0;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isStatus = reader.ValueTextEquals("status_code"u8);
            reader.Read();
            if (isStatus && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int value))
                status = value;
            reader.Skip();
        }

        return status;
    }

    /// <summary><c>batch_req_&lt;batch&gt;.&lt;row&gt;</c> into batch and row.</summary>
    private static bool TrySplit(ReadOnlySpan<byte> id, out ReadOnlySpan<byte> batch, out int row)
    {
        batch = default;
        row = 0;
        ReadOnlySpan<byte> prefix = "batch_req_"u8;
        int dot = id.LastIndexOf((byte)'.');
        if (!id.StartsWith(prefix) || dot <= prefix.Length)
            return false;
        ReadOnlySpan<byte> digits = id[(dot + 1)..];
        if (!Utf8Parser.TryParse(digits, out row, out int used) || used != digits.Length || row < 1 || digits[0] is not (>= (byte)'1' and <= (byte)'9'))
            return false;
        batch = id[prefix.Length..dot];
        return true;
    }
}
